"""What may be asked of a release: its own targets, its horizon and its word for `unique_id`."""

from functools import lru_cache
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model

from inference.fields import WITHOUT_NUL
from inference.history import Counts, Points

USUAL_HORIZON: Final = 8
SIDES: Final = ("lo", "hi")
EVERYTHING_WANTED: Final[frozenset[str]] = frozenset()


class Question(BaseModel):
    """What is asked of one series; a release adds its own targets, horizon and word for `unique_id`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unique_id: Annotated[str, Field(min_length=1, max_length=500), WITHOUT_NUL]
    target: str
    horizon: int
    statistic: Annotated[Literal["median", "mean"] | None, Field(description="only this one; without it both")] = None
    levels: Annotated[
        Annotated[list[Literal[80, 95]], Field(min_length=1, max_length=2)] | None,
        Field(description="only the bounds of these percentages; without it both"),
    ] = None
    history: Annotated[
        Counts | Points | None,
        Field(description="of one that is not known here: weekly counts, oldest first, or each with its week"),
    ] = None

    def left_out(self) -> frozenset[str]:
        """Return the statistics that are not wanted in the answer."""
        if self.statistic is None and self.levels is None:
            return EVERYTHING_WANTED
        unwanted = {"median": ["mean"], "mean": ["median"]}.get(self.statistic or "", [])
        if self.levels is not None:
            unwanted = [*unwanted, *(f"{side}_{level}" for level in {80, 95}.difference(self.levels) for side in SIDES)]
        return frozenset(unwanted)


@lru_cache(maxsize=64)
def questions(id_name: str, targets: tuple[str, ...], horizon: int) -> type[Question]:
    """Return the model of a question that a release with this card can answer."""
    horizons = Annotated[int, Field(ge=1, le=horizon, strict=True, description="weeks ahead")]
    return create_model(
        "Question",
        __base__=Question,
        unique_id=(Annotated[str, Field(min_length=1, max_length=500, alias=id_name), WITHOUT_NUL], ...),
        target=(Literal[targets], ...),  # type: ignore[arg-type]  # its values are known only here
        horizon=(horizons, min(USUAL_HORIZON, horizon)),
    )


@lru_cache(maxsize=64)
def list_of(model: type[Question]) -> TypeAdapter[list[Question]]:
    """Return what looks at a whole batch of questions at once, until one of them is wrong."""
    many: Any = Annotated[list[model], Field(fail_fast=True)]  # type: ignore[valid-type]  # made while running
    return TypeAdapter(many)
