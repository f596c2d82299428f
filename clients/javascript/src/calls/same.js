/** Whether two values that came off the wire say the same. */

import { Decimal } from '../codec/values.js';

export function isSame(one, other) {
  if (Object.is(one, other)) return true;
  if (!isObject(one) || !isObject(other)) return false;
  if (one instanceof Decimal) return one.equals(other);
  if (one instanceof Date) return other instanceof Date && one.getTime() === other.getTime();
  if (one instanceof Map) return other instanceof Map && haveSame([...one].sort(byName), [...other].sort(byName));
  return haveSame(Object.entries(one), Object.entries(other));
}

function isObject(value) {
  return typeof value === 'object' && value !== null;
}

function byName([one], [other]) {
  return one < other ? -1 : 1;
}

function haveSame(some, others) {
  return (
    some.length === others.length &&
    some.every(([name, value], index) => name === others[index][0] && isSame(value, others[index][1]))
  );
}
