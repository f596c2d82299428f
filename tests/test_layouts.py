"""The layouts declare exactly the messages, and nothing that construct is known to stumble over."""

from __future__ import annotations

import ast
import inspect

import construct
from attrs import fields as attributes_of
from construct import Int16ub, Int32ul, Struct, Terminated
from twisted.trial.unittest import SynchronousTestCase

from ctiex import messages as m
from ctiex.codecs import layouts
from ctiex.codecs.layouts import FIELD, HEADER, LAYOUTS, FieldType
from ctiex.codecs.shapes import FieldList, Number, Text, number_codes, shape_of
from ctiex.messages import KINDS, SERVICE_CONDITIONS, Condition


class TestLayouts(SynchronousTestCase):
    def test_every_message_has_one_with_its_attributes_in_order(self) -> None:
        self.assertEqual(set(LAYOUTS), set(KINDS.values()))
        for message, layout in LAYOUTS.items():
            named = [subcon.name for subcon in layout.subcons if subcon.name]
            self.assertEqual(named, [attribute.name for attribute in attributes_of(message)])

    def test_every_body_ends_with_its_last_field(self) -> None:
        for layout in LAYOUTS.values():
            self.assertIs(layout.subcons[-1], Terminated)

    def test_every_prefixed_item_has_to_fill_its_length(self) -> None:
        for case in FIELD.subcons[2].subcon.cases.values():
            inner = case.subcon.subcon if isinstance(case, construct.core.StringEncoded) else case.subcon
            filled = inner is construct.GreedyBytes or inner.subcons[-1] is Terminated
            self.assertTrue(filled, case)

    def test_an_unknown_type_of_field_is_an_error(self) -> None:
        self.assertIs(FIELD.subcons[2].subcon.default, construct.Error)

    def test_no_lambdas_and_nothing_lazy(self) -> None:
        tree = ast.parse(inspect.getsource(layouts))
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        self.assertFalse([node for node in ast.walk(tree) if isinstance(node, ast.Lambda)])
        self.assertFalse(used & {"LazyBound", "Compressed", "Timestamp", "GreedyRange", "Enum", "Bytes"})

    def test_the_header_is_that_of_version_1(self) -> None:
        self.assertEqual(number_codes(HEADER), ">LBBHL")
        self.assertEqual(HEADER.sizeof(), 12)


class TestShapes(SynchronousTestCase):
    def test_serials_may_be_empty_where_the_exchange_allocates_and_in_replies(self) -> None:
        may_be_empty = {
            message
            for message, layout in LAYOUTS.items()
            for element in shape_of(layout)
            if isinstance(element, Text) and element.name == "serial" and not element.least
        }
        self.assertEqual(may_be_empty, {m.ConnectRequest, m.ConnectReply, m.CancelReply, m.DataResult})

    def test_a_service_reports_its_own_conditions_only(self) -> None:
        (condition,) = (each for each in shape_of(LAYOUTS[m.ServiceEvent]) if each.name == "condition")
        assert isinstance(condition, Number) and condition.members is not None
        self.assertEqual(set(condition.members.values()), SERVICE_CONDITIONS)
        (condition,) = (each for each in shape_of(LAYOUTS[m.AgentEvent]) if each.name == "condition")
        assert isinstance(condition, Number) and condition.members is not None
        self.assertEqual(list(condition.members.values()), list(Condition))

    def test_fields_tell_what_each_type_is_made_of(self) -> None:
        (fields,) = (each for each in shape_of(LAYOUTS[m.DataResult]) if each.name == "fields")
        assert isinstance(fields, FieldList)
        self.assertEqual(set(fields.values), set(FieldType))
        self.assertEqual((fields.field_name.least, fields.field_name.greatest), (1, 64))
        self.assertIsNone(fields.values[FieldType.BYTES])

    def test_what_is_not_understood_is_refused(self) -> None:
        for layout in (
            Struct("a" / Int16ub),
            Struct("a" / Int32ul, Terminated),
            Struct("a" / construct.GreedyRange(Int16ub), Terminated),
            Struct("a" / construct.CString("utf8"), Terminated),
        ):
            self.assertRaises(TypeError, shape_of, layout)
