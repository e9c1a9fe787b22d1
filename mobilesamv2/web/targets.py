"""What a visitor has pointed at on one picture: objects with their points, box and masks. Values only, no model.

Each change gives new `Targets`, and those before it are kept for undo. Points and boxes are in pixels of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..errors import PromptError
from ..formatting import count
from ..render import label_colours
from ..types import Masks
from .text import prompting as text

_STEPS_BACK = 100

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Target:
    """One object.

    Args:
        number: from 1, never given twice on a picture; the object's colour follows from it.
        points: x and y of each point.
        labels: of each point, 1 on the object, 0 beside it.
        box: x0 y0 x1 y1 around it, or None.
        candidates: masks to choose from, in the decoder's order; None until it was asked.
        chosen: which of them it is.
    """

    number: int
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[int, ...] = ()
    box: Box | None = None
    candidates: Masks | None = None
    chosen: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was pointed at yet."""
        return not self.points and self.box is None

    @property
    def can_be_asked(self) -> bool:
        """Whether something says where the object is, and not only where it is not."""
        return self.box is not None or 1 in self.labels

    @property
    def is_ambiguous(self) -> bool:
        """Whether it is one click, which may mean a thing or a part of it: worth three masks to choose from."""
        return self.box is None and self.labels == (1,)

    @property
    def mask(self) -> Masks | None:
        """The chosen mask as one `Masks`, or None."""
        return None if self.candidates is None else self.candidates.select([self.chosen])


_State = tuple[tuple[Target, ...], int]
"""Objects, and the place of the active one."""


@dataclass(frozen=True, eq=False)
class Targets:
    """All objects of one picture, and the one that points and boxes go to.

    Args:
        size_hw: height and width of the picture.
        objects: at least one; only the active one may be empty.
        active: its place in `objects`.
        history: what was before, oldest first.
    """

    size_hw: tuple[int, int]
    objects: tuple[Target, ...] = (Target(1),)
    active: int = 0
    history: tuple[_State, ...] = ()

    @property
    def current(self) -> Target:
        """The active object."""
        return self.objects[self.active]

    def with_point(self, x: float, y: float, *, label: int, most_points: int) -> Targets:
        """A point on (1) or beside (0) the active object. Its mask must be asked for again.

        Raises:
            PromptError: outside the picture, or one point too many.
        """
        height, width = self.size_hw
        if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
            raise PromptError(text.outside((x, y), self.size_hw))
        target = self.current
        if len(target.points) >= most_points:
            raise PromptError(f"An object takes at most {count(most_points, 'point')}; start a new one.")
        return self._changed(
            replace(
                target,
                points=(*target.points, (x, y)),
                labels=(*target.labels, label),
                candidates=None,
                chosen=0,
            )
        )

    def with_box(self, corners: Box, *, most_objects: int) -> Targets:
        """A box, given by any two opposite corners, around a new object; or around the active one if it is empty.

        Raises:
            PromptError: outside the picture, without a pixel inside, or one object too many.
        """
        height, width = self.size_hw
        (x0, x1), (y0, y1) = sorted(corners[::2]), sorted(corners[1::2])
        box = max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
        if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
            raise PromptError(text.outside((x0, y0), self.size_hw))
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            raise PromptError("That box has no pixel inside; drag from one corner to the opposite one.")
        targets = self if self.current.is_empty else self._with_new(most_objects)
        fresh = replace(targets.current, box=box)
        return targets._changed(fresh, since=self)

    def answered(self, candidates: Masks, *, target: Target | None = None) -> Targets:
        """The masks of an object: the one the decoder is surest of is chosen. No step of its own for undo.

        Args:
            candidates: one mask or more, with their predicted IoUs.
            target: the object as it was asked about, wherever it is by now, also where undo would bring it back; by
                default the active one.
        """
        target = target or self.current
        chosen = int(np.argmax(candidates.predicted_iou))
        fresh = replace(target, candidates=candidates, chosen=chosen)
        states = [_exchanged(*state, target, fresh) for state in self._states]
        return self._at(states)

    def choosing(self, index: int, *, number: int | None = None) -> Targets:
        """Another of an object's masks; the same where a later point on it waits for other masks.

        Args:
            number: of the object; by default the active one.

        Raises:
            PromptError: if there is none of that number.
        """
        number = number or self.current.number
        target = next((target for target in self.objects if target.number == number), None)
        if target is not None and target.candidates is None and target.can_be_asked:
            return self
        if target is None or target.candidates is None or not 0 <= index < len(target.candidates):
            raise PromptError("There is no such mask to choose; click on the photo again.")
        if index == target.chosen:
            return self
        objects, active = _exchanged(self.objects, self.active, target, replace(target, chosen=index))
        return replace(self, objects=objects, active=active)._since(self)

    def with_new(self, *, most_objects: int) -> Targets:
        """Points go to a new object from here on; an empty one is not left behind.

        Raises:
            PromptError: for one object too many.
        """
        return self if self.current.is_empty else self._with_new(most_objects)._since(self)

    def selecting(self, number: int) -> Targets:
        """Points go to the object of that number.

        Raises:
            PromptError: if there is none.
        """
        kept = tuple(target for target in self.objects if not target.is_empty or target.number == number)
        for place, target in enumerate(kept):
            if target.number == number:
                return replace(self, objects=kept, active=place)
        raise PromptError(f"There is no object {number} on this photo.")

    def without_current(self) -> Targets:
        """Without the active object; the one before it becomes active."""
        rest = self.objects[: self.active] + self.objects[self.active + 1 :]
        if not rest:
            rest = (Target(self._next_number),)
        return replace(self, objects=rest, active=min(max(self.active - 1, 0), len(rest) - 1))._since(self)

    def cleared(self) -> Targets:
        """No objects; undo brings them back."""
        if all(target.is_empty for target in self.objects):
            return self
        return replace(self, objects=(Target(1),), active=0)._since(self)

    def undone(self) -> Targets:
        """As it was before the last change; the same where there was none."""
        if not self.history:
            return self
        objects, active = self.history[-1]
        return replace(self, objects=objects, active=active, history=self.history[:-1])

    def without_step(self, target: Target) -> Targets:
        """As if `target` had never become what it is: the step that made it is gone, what was done since stays."""
        states = self._states
        step = next((step for step, (objects, _) in enumerate(states) if target in objects), 0)
        if step == 0:
            return self
        earlier, _ = states[step - 1]
        before = next((one for one in earlier if one.number == target.number), Target(target.number))
        later = [_without_empty(*_exchanged(*state, target, before)) for state in states[step + 1 :]]
        return self._at([*states[:step], *later])

    def holds(self, target: Target) -> bool:
        """Whether `target`, as it is, is here or where undo would bring it back."""
        return any(target in objects for objects, _ in self._states)

    def shows(self, target: Target) -> bool:
        """Whether something is pointed at on the object of `target`'s number."""
        return any(one.number == target.number and not one.is_empty for one in self.objects)

    @property
    def shown(self) -> tuple[Target, ...]:
        """The objects that have a mask."""
        return tuple(target for target in self.objects if target.candidates is not None)

    @property
    def masks(self) -> Masks:
        """The chosen mask of each object that has one, in order."""
        found = [mask for target in self.shown if (mask := target.mask) is not None]
        return Masks.concatenate([Masks.empty(self.size_hw), *found])

    @property
    def nbytes(self) -> int:
        """Memory of the masks, about; those that undo would bring back share it."""
        every = {id(target): target for objects, _ in self.history for target in objects}
        every |= {id(target): target for target in self.objects}
        parts = [target.candidates for target in every.values() if target.candidates is not None]
        return sum(len(rle["counts"]) + 200 for masks in parts for rle in masks.rles)

    @property
    def _states(self) -> list[_State]:
        """What was and what is, oldest first."""
        return [*self.history, (self.objects, self.active)]

    def _at(self, states: list[_State]) -> Targets:
        """With other `_states`."""
        objects, active = states[-1]
        return replace(self, objects=objects, active=active, history=tuple(states[:-1]))

    @property
    def _next_number(self) -> int:
        return 1 + max(target.number for target in self.objects)

    def _with_new(self, most_objects: int) -> Targets:
        if len(self.objects) >= most_objects:
            raise PromptError(f"One photo takes at most {count(most_objects, 'object')} here; remove one.")
        objects = (*self.objects, Target(self._next_number))
        return replace(self, objects=objects, active=len(objects) - 1)

    def _replaced(self, target: Target) -> Targets:
        objects = (*self.objects[: self.active], target, *self.objects[self.active + 1 :])
        return replace(self, objects=objects)

    def _changed(self, target: Target, *, since: Targets | None = None) -> Targets:
        return self._replaced(target)._since(since or self)

    def _since(self, before: Targets) -> Targets:
        history = (*before.history, (before.objects, before.active))[-_STEPS_BACK:]
        return replace(self, history=history)


def _exchanged(objects: tuple[Target, ...], active: int, old: Target, new: Target) -> _State:
    return tuple(new if target is old else target for target in objects), active


def _without_empty(objects: tuple[Target, ...], active: int) -> _State:
    """Only the active object may be empty."""
    kept = tuple(target for place, target in enumerate(objects) if place == active or not target.is_empty)
    return kept, kept.index(objects[active])


def colours_of(numbers: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Colours of the objects of those numbers: uint8 (N, 3)."""
    return label_colours(max(numbers, default=0))[[number - 1 for number in numbers]]
