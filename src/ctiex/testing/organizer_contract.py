"""What every organizer keeps to: mix :class:`OrganizerContract` into a test case of your own."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from ctiex.fields import MAX_COUNT, Fields, Value, check_field
from ctiex.interfaces import IOrganizer
from ctiex.testing.strategies import QUICK, field_names, values

_values: st.SearchStrategy[Value] = st.one_of(values(), st.integers(0, 9), st.booleans(), st.text(max_size=3))
"""Any value, and often those that a rule may speak of."""


class OrganizerContract:
    """Tests of :class:`ctiex.interfaces.IOrganizer`, before a synchronous test case in the bases.

    Give ``make_organizer``, and ``names`` that its rules speak of, so that they are met often.
    """

    names: Collection[str] = ("number", "account", "language")

    def make_organizer(self) -> IOrganizer:
        """The organizer under test."""
        raise NotImplementedError

    def _fields(self) -> st.SearchStrategy[Fields]:
        names = st.one_of(st.sampled_from(sorted(self.names)), field_names())
        return st.dictionaries(names, _values, max_size=8).map(Fields)

    def test_it_provides_the_interface(self) -> None:
        assert verifyObject(IOrganizer, self.make_organizer())

    def test_secret_is_a_collection_of_names(self) -> None:
        secret = self.make_organizer().secret
        assert isinstance(secret, Collection) and not isinstance(secret, str)
        assert all(isinstance(name, str) for name in secret)

    @given(st.data())
    @QUICK
    def test_it_is_pure_and_leaves_what_it_got(self, data: st.DataObject) -> None:
        fields = data.draw(self._fields())
        before = list(fields.items())
        organizer = self.make_organizer()
        once = organizer.organize(fields)
        assert list(fields.items()) == before
        assert organizer.organize(fields) == once == self.make_organizer().organize(Fields(before))

    @given(st.data())
    @QUICK
    def test_what_comes_out_is_within_the_limits(self, data: st.DataObject) -> None:
        organized = self.make_organizer().organize(data.draw(self._fields()))
        assert isinstance(organized, Fields) and len(organized) <= MAX_COUNT
        for name, value in organized.items():
            check_field(name, value)
