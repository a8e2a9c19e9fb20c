"""Rules at the line: read with the station, applied as a coil ends."""

import logging
from datetime import UTC, datetime

from stripscan.contract.bundle import Bundle
from stripscan.runtime.coil_news import CoilNews
from stripscan.runtime.inspector import classes_of
from stripscan.runtime.news import News
from stripscan.runtime.rules.load import Rules, load_rules, require_classes
from stripscan.runtime.rules.replay import Replay, keep, replay
from stripscan.runtime.station import Station
from stripscan.runtime.store import Store

logger = logging.getLogger(__name__)


def station_rules(station: Station, bundle: Bundle) -> Rules:
    """Read the rules that a station file names.

    Raises:
        ConfigError: The rules file is wrong, or is for classes that the bundle does not have.
    """
    rules = load_rules(station.rules.path)
    require_classes(rules, classes_of(bundle.manifest))
    return rules


def grade_ended(store: Store, coil: str, rules: Rules) -> Replay:
    """Grade a coil that has ended, in the transaction that ends it, and return how.

    Its defects are judged once more, as only now it is known which of them lie at the tail.
    """
    judged = replay(store, coil, rules)
    keep(store, judged, graded_at=datetime.now(UTC).isoformat(timespec="milliseconds"))
    extra = {"coil": coil, "grade": judged.grade, "rules": str(rules)}
    logger.info("coil graded", extra=extra | {"reason": judged.reasons[0].text})
    return judged


def recover_coils(store: Store, rules: Rules, news: News) -> None:
    """Close the coils that a crash cut off, grade them and tell of it: nobody else will."""
    with news.transaction():
        for lost in store.recover():
            logger.warning("coil was cut off by a crash", extra={"coil": lost})
            told = CoilNews(news, lost, surface=store.coil(lost).surface)
            told.resume(store.coverage(lost), defects=len(store.defects(lost)))
            told.ended("interrupted", None)
            told.graded(grade_ended(store, lost, rules))
