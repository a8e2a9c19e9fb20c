"""Rules at the line: read with the station, applied as a coil ends."""

import logging

from stripscan.contract.bundle import Bundle
from stripscan.runtime.coil_news import CoilNews
from stripscan.runtime.inspector import classes_of
from stripscan.runtime.news import News
from stripscan.runtime.rules.load import Rules, load_rules, require_classes
from stripscan.runtime.rules.replay import Replay, judge_tally, keep, replay
from stripscan.runtime.rules.tally import CoilTally
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store
from stripscan.runtime.wall_clock import stamp, utc_now

logger = logging.getLogger(__name__)


def station_rules(station: Station, bundle: Bundle) -> Rules:
    """Read the rules that a station file names.

    Raises:
        ConfigError: The rules file is wrong, or is for classes that the bundle does not have.
    """
    rules = load_rules(station.rules.path)
    require_classes(rules, classes_of(bundle.manifest))
    return rules


def grade_ended(
    store: Store, coil: str, rules: Rules, tally: CoilTally | None = None, *, graded_at: str
) -> Replay:
    """Grade a coil that has ended, in the transaction that ends it, and return how.

    Its defects are judged once more, as only now it is known which of them lie at the tail.

    Args:
        store: Where the coil lies.
        coil: Its id.
        rules: The rules.
        tally: Its defects as the store has them, counted for these rules; where None they are
            read, which takes seconds for 200,000.
        graded_at: ISO 8601, UTC.
    """
    record = store.coil(coil)
    if tally is None or tally.passed_m > (record.length_m or 0.0):
        judged = replay(store, coil, rules)
    else:
        judged = judge_tally(store, record, rules, tally)
    keep(store, judged, graded_at=graded_at)
    extra = {"coil": coil, "grade": judged.grade, "rules": str(rules)}
    logger.info("coil graded", extra=extra | {"reason": judged.reasons[0].text})
    return judged


def recover_coils(store: Store, rules: Rules, news: News) -> None:
    """Close the coils that a crash cut off, grade them and tell of it: nobody else will."""
    with news.transaction():
        for lost in store.recover():
            logger.warning("coil was cut off by a crash", extra={"coil": lost})
            judged = grade_ended(store, lost, rules, graded_at=stamp(utc_now()))
            told = CoilNews(news, lost)
            coverage = store.coverage(lost)
            told.resume(coverage)
            told.ended("interrupted", None, coverage=coverage, defects=judged.defects)
            told.graded(judged)
