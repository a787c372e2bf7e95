"""What a release folder must be before it is registered: exactly what its card says."""

from pathlib import Path

from ratchet.contracts.errors import ReleaseError
from ratchet.contracts.release import CARD, Card, file_digest


def check_folder(folder: Path, card: Card) -> None:
    """Pass a folder that holds this card and every file it names, unchanged; else a `ReleaseError` names the fault."""
    path = folder / CARD
    if not path.is_file():
        raise ReleaseError(f"{path} is not there")
    # As text, because a score that is not a number equals nothing, not even itself.
    if Card.from_json(path.read_bytes()).to_json() != card.to_json():
        raise ReleaseError(f"{path} is not the card of release {card.release_id}")
    for name, digest in sorted(card.checksums.items()):
        if not (folder / name).is_file():
            raise ReleaseError(f"release {card.release_id} misses {name}")
        if file_digest(folder / name) != digest:
            raise ReleaseError(f"release {card.release_id}: {name} differs from its checksum")
