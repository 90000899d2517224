"""Writes an invented organisation as employees.csv, teams.csv and memberships.csv.

The same number of people and the same seed give the same files, byte for byte. Rows are written as they are made, so that a million
people take no more memory than ten. Who reports to whom is computed from positions alone: person `i` reports to someone well before `i`.
"""

import argparse
import csv
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

LEVELS = 12
"""How deep the reporting lines are at least: the first people form one line from the top."""

TEAM_LEVELS = 6
PEOPLE_PER_TEAM = 9
MANAGERS_WITHIN = 0.45
"""Everyone reports to somebody within this share of the people before them, so nobody past it has reports and may have left."""

GIVEN = """
Ada Amara Anselm Ayumi Bela Birgit Bohdan Carmen Chidi Chiara Dagny Darius Edda Elif Emeka Esteban Farah Fenna Gaspard Gunnar Hana
Hilde Ibrahim Ilse Imani Iva Jamal Jarno Joana Kaito Katya Kwame Lamin Leona Linnea Lucia Magnus Malika Marek Mei Mirela Nadia Nils
Noor Oksana Olga Pascal Petra Quentin Rania Ravi Rosa Samir Selma Sofia Tamar Tariq Tove Ulla Viktor Wanda Xenia Yara Yusuf Zainab
Zoltan
""".split()
FAMILY = """
Abara Almeida Andersen Balogun Bakker Castellanos Chowdhury Conti Dahl Demir Dvorak Eklund Eriksen Fadel Ferrari Fischer Fofana Garcia
Grünwald Haddad Hansen Horvat Ibáñez Iversen Jansen Jovanović Kaya Keita Kim Kowalska Lindqvist Lopes Maeda Marchetti Mbeki Moreau
Nakamura Navarro Nowak Okafor Olsen Osei Pereira Petrov Quist Rahman Rinaldi Rossi Sato Schäfer Silva Sørensen Takahashi Toure Ueda
Vargas Vogel Weiss Wójcik Yamada Yilmaz Zhang Zimmermann
""".split()
ASCII = str.maketrans({"ü": "ue", "ä": "ae", "ö": "oe", "ø": "oe", "ó": "o", "á": "a", "ñ": "n", "ć": "c"})
DIVISIONS = {
    "Product": ["Engineering", "Design", "Research", "Quality"],
    "Operations": ["Logistics", "Facilities", "Procurement"],
    "Market": ["Sales", "Marketing", "Customer Care"],
    "Corporate": ["Finance", "People", "Legal"],
}
DEPARTMENTS = [(division, department) for division, departments in DIVISIONS.items() for department in departments]
LINE = ["Chief Executive", "President", "Executive Vice President", "Senior Vice President", "Vice President", "Senior Director"]
LINE += ["Director", "Senior Manager", "Manager", "Group Lead", "Section Lead", "Team Lead"]
WORK = ["Specialist", "Senior Specialist", "Analyst", "Engineer", "Senior Engineer", "Coordinator", "Associate", "Consultant"]
PLACES = ["Lisbon", "Kraków", "Nairobi", "Osaka", "Montréal", "Utrecht", "Valparaíso", "Home"]
SUBJECTS = "Atlas Beacon Cedar Delta Ember Fjord Granite Harbour Island Juniper Kestrel Lantern Meadow Nimbus".split()
KINDS = ["Company", "Division", "Department", "Group", "Team", "Squad"]
FOUNDED = date(2004, 3, 1)

EMPLOYEE_COLUMNS = (
    "username email given_name family_name display_name title department division cost_center employee_number phone location manager "
    "status hired_on left_on external_id"
).split()
Row = Sequence[str | int]


def username(person: int) -> str:
    """A name of its own for each position: given and family name, and a number from the second round on."""
    round_, pair = divmod(person, len(GIVEN) * len(FAMILY))
    given, family = names(pair)
    plain = f"{given}.{family}".lower().translate(ASCII)
    return f"{plain}{round_ + 1}" if round_ else plain


def names(person: int) -> tuple[str, str]:
    """Given and family name; neighbours share neither."""
    pair = person % (len(GIVEN) * len(FAMILY))
    return GIVEN[pair % len(GIVEN)], FAMILY[(pair // len(GIVEN) + pair) % len(FAMILY)]


def draw(seed: int, kind: str, position: int) -> random.Random:
    """Chance that depends on what is drawn and not on what was drawn before."""
    return random.Random(f"{seed}/{kind}/{position}")  # noqa: S311  invented data, no secret


def manager_of(seed: int, person: int) -> int | None:
    """The position of somebody's manager; the first LEVELS people report to each other in one line."""
    if person < LEVELS:
        return person - 1 if person else None
    return int(person * draw(seed, "manager", person).uniform(0.02, MANAGERS_WITHIN))


def has_left(seed: int, people: int, person: int) -> bool:
    return person > LEVELS and person >= people * MANAGERS_WITHIN and draw(seed, "left", person).random() < 0.03


def employees(people: int, seed: int) -> Iterator[Row]:
    for person in range(people):
        chance = draw(seed, "person", person)
        given, family = names(person)
        division, department = DEPARTMENTS[chance.randrange(len(DEPARTMENTS))] if person > 2 else ("Corporate", "Management")
        manager = manager_of(seed, person)
        hired = FOUNDED + timedelta(days=chance.randrange(7_500))
        left = (hired + timedelta(days=chance.randrange(30, 500))).isoformat() if has_left(seed, people, person) else ""
        leads = person < people * MANAGERS_WITHIN / 2
        yield [
            username(person),
            f"{username(person)}@roster.example",
            given,
            family,
            f"{given} {family}",
            LINE[person] if person < LEVELS else f"{department} {'Lead' if leads else chance.choice(WORK)}",
            department,
            division,
            f"CC-{1000 + DEPARTMENTS.index((division, department)) * 10 if person > 2 else 1}",
            f"E{person + 1:07d}",
            f"+00 555 {person % 10_000_000:07d}" if chance.random() < 0.8 else "",
            chance.choice(PLACES),
            username(manager) if manager is not None else "",
            "inactive" if left else "active",
            hired.isoformat(),
            left,
            f"synthetic-{person + 1}",
        ]


def team_count(people: int) -> int:
    return max(TEAM_LEVELS, people // PEOPLE_PER_TEAM)


def parent_of(team: int) -> int | None:
    """The first teams form one line downwards, the rest hang four to a team."""
    if team < TEAM_LEVELS:
        return team - 1 if team else None
    return (team - TEAM_LEVELS) // 4


def depth_of(team: int) -> int:
    parent, depth = parent_of(team), 0
    while parent is not None:
        parent, depth = parent_of(parent), depth + 1
    return depth


def slug(team: int) -> str:
    return f"{SUBJECTS[team % len(SUBJECTS)].lower()}-{team + 1}"


def teams(people: int) -> Iterator[Row]:
    for team in range(team_count(people)):
        kind = KINDS[min(depth_of(team), len(KINDS) - 1)]
        subject = SUBJECTS[team % len(SUBJECTS)]
        parent = parent_of(team)
        yield [
            slug(team),
            f"{subject} {kind} {team + 1}",
            f"{kind} for {subject.lower()}, number {team + 1}",
            slug(parent) if parent is not None else "",
        ]


def memberships(people: int, seed: int) -> Iterator[Row]:
    """One team for everyone who has not left, up to three for some; the first of a team leads it."""
    count = team_count(people)
    for person in range(people):
        if has_left(seed, people, person):
            continue
        chance = draw(seed, "member", person)
        mine = {person % count: "lead" if person < count else "member"}
        for _ in range(chance.choice((0, 0, 1, 2))):
            mine.setdefault(chance.randrange(count), "member")
        yield from ([slug(team), username(person), role] for team, role in mine.items())


def write(path: Path, columns: list[str], rows: Iterable[Row]) -> int:
    """Returns how many rows were written."""
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        for row in rows:
            out.writerow(row)
            written += 1
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write an invented organisation as three CSV files.")
    parser.add_argument("out", type=Path, help="the folder for the files")
    parser.add_argument("--people", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    options = parser.parse_args(arguments)
    if options.people < 1:
        parser.error("--people must be 1 or more")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        counts = {
            "employees": write(options.out / "employees.csv", EMPLOYEE_COLUMNS, employees(options.people, options.seed)),
            "teams": write(options.out / "teams.csv", ["slug", "name", "description", "parent"], teams(options.people)),
            "memberships": write(options.out / "memberships.csv", ["team", "username", "role"], memberships(options.people, options.seed)),
        }
    except OSError as fault:
        print(f"{options.out}: {fault.strerror}", file=sys.stderr)
        return 1
    print(", ".join(f"{count:,} {kind}" for kind, count in counts.items()), f"in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
