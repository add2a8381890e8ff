import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMasker, pick, readValuePath, unmasked, valuesAt, type ValuePath } from '#domain/masking/index';

const secret = 'pa"ss/wörd&+1';

function maskerOf(...secrets: unknown[]) {
  const masker = createMasker();
  for (const one of secrets) masker.learn(one);
  return masker;
}

describe('a secret is found by value', () => {
  const masker = maskerOf(secret);
  const written: readonly (readonly [string, string])[] = [
    ['as it is', `key ${secret}!`],
    ['inside JSON', JSON.stringify({ a: secret })],
    ['inside JSON inside JSON', JSON.stringify({ a: JSON.stringify({ b: secret }) })],
    ['in a URL', `https://x.example/?k=${encodeURIComponent(secret)}&z=1`],
    ['in a form', new URLSearchParams({ k: secret }).toString()],
    ['in XML', '<k>pa&quot;ss/wörd&amp;+1</k>'],
    ['in Base64', Buffer.from(secret).toString('base64')],
    ['in Basic authentication', `Basic ${Buffer.from(`u:${secret}`).toString('base64')}`],
    ['in Base64 behind two bytes', Buffer.from(`ab${secret}zz`).toString('base64')],
    ['in a JWT segment', Buffer.from(`{"k":${secret}}`).toString('base64url')],
  ];
  for (const [how, text] of written) {
    test(how, () => {
      assert.ok(masker.isTainted(text), text);
      assert.ok(masker.text(text).includes('[REDACTED]'));
    });
  }

  test('and nothing else is changed', () => {
    assert.equal(masker.text('pa"ss/word is another one'), 'pa"ss/word is another one');
    assert.equal(maskerOf('s3cr3t').text('a s3cr3t, twice: s3cr3t.'), 'a [REDACTED], twice: [REDACTED].');
  });
});

test('what sticks out of an overlapping secret is not left readable', () => {
  assert.equal(maskerOf('abcdef', 'defghi').text('..abcdefghi..'), '..[REDACTED]..');
  assert.equal(maskerOf('abcd', 'abcdefgh').text('abcdefgh abcdx'), '[REDACTED] [REDACTED]x');
});

test('a secret of three characters is not searched by value', () => {
  const masker = maskerOf('abc', 12);
  assert.ok(masker.isEmpty);
  assert.equal(masker.text('abc 12'), 'abc 12');
});

test('numbers are masked whole, and a path covers what no value could tell', () => {
  const masker = maskerOf(49_301_234);
  const { shown } = masker.value({ account: 49_301_234, note: 'to 49301234', pin: 12, ok: true }, [
    ['pin'],
    ['ok'],
  ]);
  assert.deepEqual(shown, {
    account: '[REDACTED]',
    note: 'to [REDACTED]',
    pin: '[REDACTED]',
    ok: '[REDACTED]',
  });
});

test('what was taken out can be put back exactly', () => {
  const masker = maskerOf('secret-1', 'secret-2');
  const value = {
    lines: [{ iban: 'DE1', n: 1 }, { iban: null }, { iban: 'DE3' }],
    'key secret-1': { deep: 'x secret-2 y' },
    list: ['secret-2', 'plain'],
  };
  const copy = structuredClone(value);
  const { shown, trueParts } = masker.value(value, [['lines', '*', 'iban']]);
  assert.ok(!JSON.stringify(shown).includes('secret-'));
  assert.deepEqual((shown as typeof value).lines, [
    { iban: '[REDACTED]', n: 1 },
    { iban: null },
    { iban: '[REDACTED]' },
  ]);
  assert.deepEqual(value, copy, 'the value that flows on is untouched');
  const sent = JSON.parse(JSON.stringify({ shown, trueParts })) as {
    shown: unknown;
    trueParts: typeof trueParts;
  };
  assert.deepEqual(unmasked(sent.shown, sent.trueParts), copy);
  assert.equal(unmasked('[REDACTED]', masker.value('secret-1').trueParts), 'secret-1');
});

test('fifty thousand secrets that begin alike are found in one pass', () => {
  const ibans = Array.from({ length: 50_000 }, (_, n) => `DE89370400440532${String(n).padStart(6, '0')}`);
  const masker = maskerOf(ibans);
  const shown = masker.text(JSON.stringify(ibans));
  assert.ok(!/DE89\d/.test(shown));
  assert.ok(!masker.isTainted('DE89370400440532999999'));
});

describe('paths', () => {
  const paths = (...texts: string[]): ValuePath[] => texts.map((text) => readValuePath(text)!);

  test('a star crosses every item, other paths stay', () => {
    const value = {
      lines: [
        { iban: 1, name: 'a' },
        { iban: 2, name: 'b' },
      ],
      total: 3,
      other: 4,
    };
    assert.deepEqual(pick(value, paths('lines.*.iban', 'total')), {
      lines: [{ iban: 1 }, { iban: 2 }],
      total: 3,
    });
    assert.deepEqual(valuesAt(value, paths('lines.*.iban', 'total')), [1, 2, 3]);
    assert.deepEqual(pick([{ a: 1, b: 2 }], paths('*.a')), [{ a: 1 }]);
  });

  test('brackets mean the same as dots; nonsense is no path', () => {
    assert.deepEqual(readValuePath('lines[*].iban'), ['lines', '*', 'iban']);
    assert.equal(readValuePath('a..b'), undefined);
    assert.equal(readValuePath(' '), undefined);
  });
});
