"""The processing of calls [0049-0053]: pure logic, keyed on the call serial number."""
