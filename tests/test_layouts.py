"""The layouts declare exactly the messages, and nothing that construct is known to stumble over."""

from __future__ import annotations

import ast
import inspect

import construct
from attrs import fields as attributes_of
from construct import Int16ub, Int32ul, Struct, Terminated
from twisted.trial.unittest import SynchronousTestCase

from ctiex import messages as m
from ctiex.call_messages import CallControlReply, CallEvent, Snapshot
from ctiex.codecs import layouts, wire_types
from ctiex.codecs.layouts import BODIES, HEADER, LAYOUTS, RECORDS
from ctiex.codecs.shapes import FieldList, Number, RecordList, Text, number_codes, shape_of
from ctiex.codecs.wire_types import FIELD, Converted, FieldType
from ctiex.messages import KINDS, SERVICE_CONDITIONS, Condition


class TestLayouts(SynchronousTestCase):
    def test_every_message_has_one_with_its_attributes_in_order(self) -> None:
        self.assertEqual(set(LAYOUTS), set(KINDS.values()))
        for message, layout in LAYOUTS.items():
            named = [subcon.name for subcon in layout.subcons if subcon.name]
            self.assertEqual(named, [attribute.name for attribute in attributes_of(message)])

    def test_every_attribute_and_every_record_has_its_meaning(self) -> None:
        for message, attributes in BODIES.items():
            self.assertEqual([one.name for one in attributes_of(message)], list(attributes))
            self.assertTrue(all(attribute.meaning for attribute in attributes.values()), message)
        for record, told in RECORDS.items():
            self.assertEqual([one.name for one in attributes_of(record)], list(told))

    def test_every_body_ends_with_its_last_field(self) -> None:
        for layout in LAYOUTS.values():
            self.assertIs(layout.subcons[-1], Terminated)

    def test_every_prefixed_item_has_to_fill_its_length(self) -> None:
        for case in FIELD.subcons[2].subcon.cases.values():
            case = case.subcon if isinstance(case, Converted) else case
            inner = case.subcon.subcon if isinstance(case, construct.core.StringEncoded) else case.subcon
            filled = inner is construct.GreedyBytes or inner.subcons[-1] is Terminated
            self.assertTrue(filled, case)

    def test_an_unknown_type_of_field_is_an_error(self) -> None:
        self.assertIs(FIELD.subcons[2].subcon.default, construct.Error)

    def test_no_lambdas_and_nothing_lazy(self) -> None:
        nodes = [node for part in (layouts, wire_types) for node in ast.walk(ast.parse(inspect.getsource(part)))]
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        self.assertFalse([node for node in nodes if isinstance(node, ast.Lambda)])
        self.assertFalse(used & {"LazyBound", "Compressed", "Timestamp", "GreedyRange", "Enum", "Bytes"})

    def test_the_header_is_that_of_every_version(self) -> None:
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
        of_requests = {m.ConnectRequest, m.ConnectReply, m.CancelReply, m.UpdateReply, m.DataResult}
        of_calls = {CallControlReply, CallEvent, Snapshot}  # where there is no new call, or none at all
        self.assertEqual(may_be_empty, of_requests | of_calls)

    def test_a_service_reports_its_own_conditions_only(self) -> None:
        (condition,) = (each for each in shape_of(LAYOUTS[m.ServiceEvent]) if each.name == "condition")
        assert isinstance(condition, Number) and condition.members is not None
        self.assertEqual(set(condition.members.values()), SERVICE_CONDITIONS)
        (condition,) = (each for each in shape_of(LAYOUTS[m.AgentEvent]) if each.name == "condition")
        assert isinstance(condition, Number) and condition.members is not None
        self.assertEqual(list(condition.members), list(range(0x100)))
        self.assertLess(set(Condition), set(condition.members.values()))

    def test_fields_tell_what_each_type_is_made_of(self) -> None:
        (fields,) = (each for each in shape_of(LAYOUTS[m.DataResult]) if each.name == "fields")
        assert isinstance(fields, FieldList)
        self.assertEqual(set(fields.values), set(FieldType))
        self.assertEqual((fields.field_name.least, fields.field_name.greatest), (1, 64))
        self.assertIsNone(fields.values[FieldType.BYTES].inner)

    def test_a_list_tells_what_its_records_are_made_of(self) -> None:
        (calls,) = (each for each in shape_of(LAYOUTS[m.CallQueryReply]) if isinstance(each, RecordList))
        self.assertIs(calls.record, m.OpenCall)
        self.assertEqual([each.name for each in calls.elements], [each.name for each in attributes_of(m.OpenCall)])

    def test_what_is_not_understood_is_refused(self) -> None:
        for layout in (
            Struct("a" / Int16ub),
            Struct("a" / Int32ul, Terminated),
            Struct("a" / construct.GreedyRange(Int16ub), Terminated),
            Struct("a" / construct.CString("utf8"), Terminated),
        ):
            self.assertRaises(TypeError, shape_of, layout)
