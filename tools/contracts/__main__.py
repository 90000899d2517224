"""`python -m tools.contracts pacts`: write the pacts anew, from what the consumers' tests use."""

from tools.contracts.asked import PAIRS
from tools.contracts.pacts import FOLDER, path_of, text_of


def write_pacts() -> None:
    """Write every file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for (consumer, provider), parts in PAIRS.items():
        path_of(consumer, provider).write_text(text_of(consumer, provider, parts), "utf-8")
        print(path_of(consumer, provider).relative_to(FOLDER.parents[1]))


if __name__ == "__main__":
    write_pacts()
