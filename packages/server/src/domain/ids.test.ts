import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derivedId, idFloor, idTime, isId, newId } from '#domain/ids';

test('ids made in one process sort in the order they were made', () => {
  const ids = Array.from({ length: 5000 }, () => newId());
  assert.deepEqual(ids, [...ids].sort());
  assert.equal(new Set(ids).size, ids.length);
});

test('a clock that steps back does not break the order', () => {
  const later = newId(Date.now() + 60_000);
  assert.ok(newId(Date.now()) > later);
});

test('an id tells when it was made and bounds a time range', () => {
  const at = new Date('2030-01-02T03:04:05.678Z');
  const id = newId(at.getTime());
  assert.deepEqual(idTime(id), at);
  assert.ok(isId(id));
  assert.ok(idFloor(at) <= id);
});

test('a derived id is stable and depends on where the parts are cut', () => {
  assert.equal(derivedId('app', 'gong'), derivedId('app', 'gong'));
  assert.notEqual(derivedId('ab', 'c'), derivedId('a', 'bc'));
});
