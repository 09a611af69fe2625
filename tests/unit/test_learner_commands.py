"""What people ask of the learner, and what it makes of that."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from detectors.parameters import SHIPPED, dumps
from streams.runtime.topics import MODELS
from streams.serving import CHAMPION_PREFIX, CLOSED_FORM_KEY, encode_serving
from tests.support.learners import DAY_0
from tests.support.learning_days import ask, fitted, learning, message
from tests.support.memory_learner import MemoryLearnerStore
from tests.support.played_learner import DESK, PlayedLearner


async def test_frozen_serves_on_whatever_is_learnt_until_it_is_thawed() -> None:
    learner = await learning(8, publish_s=3_600.0)
    ask(learner, "freeze")
    await learner.round()
    frozen = learner.servings[-1]
    assert (frozen.hold, frozen.serves) == ("frozen", True)
    learner.tell(message(DAY_0 + 8))
    await learner.round()
    await learner.start()
    assert learner.task.desk.learner.served().version == frozen.version, "also after a restart"
    ask(learner, "thaw")
    await learner.round()
    assert learner.servings[-1].hold is None
    assert learner.servings[-1].version != frozen.version
    assert [one.hold for one in learner.servings].count("frozen") == 1


async def test_an_earlier_champion_can_be_gone_back_to_and_others_are_told_to_be_none() -> None:
    learner = await learning(8)
    kept = [key.removeprefix(b"champion:").decode() for key, value in learner.sent(MODELS) if value is not None]
    gone = [key.removeprefix(b"champion:").decode() for key, value in learner.sent(MODELS) if value is None]
    assert len(kept) == 8
    assert gone == kept[:5], "three are kept"
    ask(learner, "rollback", kept[0])
    await learner.round()
    assert learner.servings[-1].hold is None
    ask(learner, "rollback", kept[5])
    await learner.round()
    assert (learner.servings[-1].hold, learner.servings[-1].version) == ("rolled_back", kept[5])


async def test_a_person_s_parameters_are_taken_up_unless_they_are_pinned() -> None:
    for refit_days, expected in ((30, "ann's"), (None, SHIPPED.version)):
        learner = PlayedLearner(replace(DESK, refit_days=refit_days))
        await learner.start()
        learner.tell(message(DAY_0))
        await learner.round()
        learner.write(MODELS, CLOSED_FORM_KEY, dumps(fitted("ann's")))
        await learner.round()
        assert learner.servings[-1].closed_form.version == expected


async def test_who_learns_the_past_anew_obeys_what_was_asked_once_it_has_caught_up() -> None:
    learner = await learning(6)
    ask(learner, "freeze")
    await learner.round()
    held = learner.servings[-1]
    learner.store, learner.caught_up = MemoryLearnerStore(), False
    await learner.start()
    await learner.round(1)
    learner.caught_up = True
    await learner.round()
    assert (learner.task.desk.serving.hold, learner.task.desk.serving.version) == ("frozen", held.version)
    assert learner.servings[-1] == held, "nothing else was sent meanwhile"


async def test_a_model_that_cannot_serve_here_is_not_gone_back_to_and_it_goes_on() -> None:
    learner = await learning(6)
    version, champion = next(iter(learner.models.champions.items()))
    learner.write(MODELS, CHAMPION_PREFIX + version.encode(), encode_serving(msgspec.structs.replace(champion, horizon_days=90)))
    ask(learner, "rollback", version)
    await learner.round()
    assert learner.servings[-1].hold is None
    await learner.start()
    ask(learner, "freeze")
    await learner.round()
    assert learner.servings[-1].hold == "frozen"
