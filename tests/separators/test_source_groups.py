"""Groups of sources: their sums, the songs that have them, and invalid groups."""

import pytest

from stream_sep.errors import ConfigError
from stream_sep.separators.source_groups import FOUR, PRESETS, SourceGroups


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_holds_all_sources_once(name):
    groups = SourceGroups.preset(name)
    present = ("vocals", "drums", "bass", "piano", "guitar", "strings")
    summed = [source for stem in groups.stems for source in groups.sources_of(stem, present)]
    assert sorted(summed) == sorted(present)
    assert SourceGroups.from_table(groups.to_dict()) == groups


@pytest.mark.parametrize(
    ("known", "served"),
    [
        ({"vocals", "drums", "bass", "other"}, {"vocals", "drums", "bass", "other"}),
        ({"vocals", "drums", "other"}, {"vocals", "drums"}),  # bass may sound in other
        ({"vocals", "instruments"}, {"vocals"}),
        ({"strings"}, set()),
    ],
)
def test_song_serves_only_the_groups_whose_sources_it_has(known, served):
    assert {stem for stem in FOUR.stems if FOUR.serves(stem, known)} == served


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("five", "unknown groups 'five'; choose one of: four"),
        ({"all": ["rest"]}, "two names or more"),
        ({"drums": ["drums"], "more": ["drums", "rest"]}, "'drums' is in two groups"),
        ({"drums": ["drums"], "bass": ["bass"]}, "must hold 'rest'"),
        ({"drums": [], "more": ["rest"]}, "each with a source"),
        ({"drums": "drums", "more": ["rest"]}, r"must be a list of sources, such as \['drums'\]"),
    ],
)
def test_groups_that_make_no_sense_are_refused(table, words):
    with pytest.raises(ConfigError, match=words):
        SourceGroups.from_table(table)
