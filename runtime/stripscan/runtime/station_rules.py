"""The part of a station file that names the rules of the mill."""

from stripscan.runtime.section import RelPath, Section


class RulesSection(Section):
    """By which rules defects get their severity and coils their grade.

    Attributes:
        path: The rules file; the rules that come with stripscan where None.
    """

    path: RelPath | None = None
