"""Runs the three services on this machine until Ctrl-C: what `make run` does; or one of them, what `make gateway` does.

Everything that they keep lies in one folder: databases, development keys, the first admin's password, logs. Whatever prevents a start is
told in one line, and nothing is left running.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.address import address_of
from tools.client import Refused
from tools.import_directory import load_folder, log_in
from tools.processes import Fault, Service, listening, lock_folder
from tools.settings import Place, make_admin, make_keys, make_services
from tools.supervisor import Supervisor

SAMPLE = Path(__file__).parent.parent / "deploy" / "sample"


def greeting(place: Place, only_gateway: bool) -> str:
    """What runs, and what to type next: each line works as it stands, in the folder where `make run` was typed."""
    address, var = address_of(place.port("gateway")), place.var
    url, curl = address.url, f"{address.curl} -b {var}/cookies"
    others = f"employees on port {place.port('employees')}, teams on {place.port('teams')}"
    runs, restart = f"Roster runs: the gateway at {url}, {others}", "make restart"
    if only_gateway:
        runs, restart = f"The gateway runs alone, at {url}, and asks {others}", "make restart SERVICE=gateway"
    return f"""
{runs}.
Ctrl-C stops what was started here, `{restart}` restarts it under way; logs are in {var}/log. The log-in below reads
the password of admin in {place.password}: whoever changes it writes it there. Try, in another terminal, in this folder:

  {address.curl} -c {var}/cookies -u "admin:$(cat {var}/admin-password)" -X POST {url}/v1/session
  {curl} '{url}/v1/employees?q=engineer&limit=3'
  {curl} '{url}/v1/employees?username=noah.weber&fields=id,username,manager_id'
  {curl} '{url}/v1/org-chart?root=1&depth=2'
  {curl} '{url}/v1/search?q=plat'
  {curl} -H 'Accept: application/yaml' '{url}/v1/teams?slug=platform'
  {curl} -X DELETE {url}/v1/session

What else there is: {curl} {url}/ and README.md.
"""


def load_sample(place: Place) -> None:
    """Loads the sample directory once in the life of `var`, and never into a directory that has people or teams. Raises Refused."""
    mark = place.sample
    state = mark.read_text(encoding="utf-8").strip() if mark.exists() else ""
    if state == "done":
        return
    gateway = address_of(place.port("gateway")).gateway()
    log_in(gateway, "admin", place.password)
    kept = any(gateway.get(f"/v1/{kind}?limit=1").require()["items"] for kind in ("employees", "teams"))
    if state == "begun" or not kept:
        mark.write_text("begun\n", encoding="utf-8")  # so that an interrupted load is taken up again
        print(f"loading the sample directory of {SAMPLE.parent.name}/{SAMPLE.name}", flush=True)
        load_folder(gateway, SAMPLE, quiet=True)
    leave_sample(place)
    gateway.log_out()


def leave_sample(place: Place) -> None:
    """It is loaded, or not wanted: later starts leave it."""
    place.sample.write_text("done\n", encoding="utf-8")


async def begin(place: Place, supervisor: Supervisor, *, sample: bool, only_gateway: bool) -> None:
    """Waits until every service is ready, loads the sample, and says so. A sample that can't be loaded is told, and ends nothing."""
    await supervisor.ready()
    try:
        if sample and not only_gateway:
            await asyncio.to_thread(load_sample, place)
    except Refused as refusal:
        print(f"the sample directory was not loaded: {refusal}\nNot to be asked for it again: make run ARGS=--no-sample", flush=True)
    print(greeting(place, only_gateway), flush=True)


def warn_of_open(services: Sequence[Service]) -> None:
    for service in services:
        if service.environment.get(f"{service.name.upper()}_OPEN", "").lower() in ("true", "1"):
            print(
                f"{service.name.upper()}_OPEN: {service.name} takes everybody on this machine for an editor, without a log-in", flush=True
            )


async def run(place: Place, *, sample: bool, only_gateway: bool) -> None:
    with lock_folder(place.var):
        make_keys(place)
        if not sample:
            leave_sample(place)
        services = [service for service in make_services(place) if service.name == "gateway" or not only_gateway]
        warn_of_open(services)
        with listening({service.name: service.port for service in services}) as sockets:
            make_admin(place, services[-1])
            supervisor = Supervisor(place.var, services, sockets)
            await supervisor.run(begin(place, supervisor, sample=sample, only_gateway=only_gateway))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run employees, teams and the gateway on this machine until Ctrl-C.")
    parser.add_argument("--var", type=Path, default=Path("var"), help="the folder for all data (default: var)")
    parser.add_argument("--port-base", type=int, default=8000, help="the gateway's port; employees and teams have the next two")
    parser.add_argument("--no-sample", action="store_true", help="begin with an empty directory")
    parser.add_argument("--only-gateway", action="store_true", help="the gateway alone, in front of services that run already")
    options = parser.parse_args(arguments)
    if not 1 <= options.port_base <= 65533:
        parser.error("--port-base must be between 1 and 65533")
    try:
        asyncio.run(run(Place(options.var, options.port_base), sample=not options.no_sample, only_gateway=options.only_gateway))
    except Fault as fault:
        print(f"make {'gateway' if options.only_gateway else 'run'}: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
