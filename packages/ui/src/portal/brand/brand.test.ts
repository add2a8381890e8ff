import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { brandProperties, grounds } from './brand.ts';
import { contrast, parseHex } from './colour.ts';

const schemes = ['light', 'dark'] as const;

function colourOf(properties: Record<string, string>, name: string, scheme: 'light' | 'dark') {
  const pair = /^light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)$/.exec(properties[name] ?? '');
  assert.ok(pair, `${name} is a pair of plain hex colours, saw "${properties[name]}"`);
  return parseHex(scheme === 'light' ? pair[1] : pair[2])!;
}

const channels = [0, 64, 128, 191, 255];
const everyColour = channels.flatMap((r) =>
  channels.flatMap((g) =>
    channels.map((b) => `#${[r, g, b].map((c) => c.toString(16).padStart(2, '0')).join('')}`),
  ),
);

test('any pair of brand colours gives legible text on buttons, header and every ground', () => {
  // Every 7th partner for every colour: thousands of pairs, the extremes among them.
  const pairs = everyColour.flatMap((color, i) =>
    everyColour.filter((_, j) => (i + j) % 7 === 0).map((bgColor) => ({ color, bgColor })),
  );
  pairs.push(
    { color: '#000000', bgColor: '#00FF23' },
    { color: '#ffffff', bgColor: '#ffffff' },
    { color: '#ffff00', bgColor: '#ffffff' },
    { color: '#000000', bgColor: '#000000' },
  );
  for (const pair of pairs) {
    const properties = brandProperties(pair);
    for (const scheme of schemes) {
      const of = (name: string) => colourOf(properties, name, scheme);
      const seen = `${JSON.stringify(pair)} in ${scheme}`;
      assert.ok(contrast(of('--accent-ink'), of('--accent')) >= 4.5, `button text, ${seen}`);
      assert.ok(contrast(of('--accent-ink'), of('--accent-hover')) >= 4.5, `hovered button text, ${seen}`);
      assert.ok(contrast(of('--band-ink'), of('--band')) >= 4.5, `header text, ${seen}`);
      assert.ok(contrast(of('--accent-text'), of('--accent-soft')) >= 4.5, `tinted text, ${seen}`);
      for (const ground of grounds[scheme]) {
        assert.ok(contrast(of('--accent-text'), parseHex(ground)!) >= 4.5, `link on ${ground}, ${seen}`);
      }
    }
  }
});

test("the seed's black on #00FF23 is used exactly as given", () => {
  const properties = brandProperties({ color: '#000000', bgColor: '#00FF23' });
  assert.equal(properties['--accent'], 'light-dark(#00ff23, #00ff23)');
  assert.equal(properties['--accent-ink'], 'light-dark(#000000, #000000)');
});

test('only three or six hex digits are a colour', () => {
  const refused = ['red', '#12345', '#12345678', 'url(x)', '#fff;}body{', '#ggg', 'rgb(0,0,0)', 7, null, {}];
  for (const value of refused) assert.deepEqual(brandProperties({ color: value, bgColor: value }), {});
  assert.deepEqual(parseHex('#0f8'), { red: 0, green: 255, blue: 136 });
});

test('the grounds checked here are the grounds of tokens.css', async () => {
  const css = await readFile(new URL('../../tokens/tokens.css', import.meta.url), 'utf8');
  const names = ['ground', 'surface', 'surface-hover', 'surface-sunken', 'surface-raised'];
  names.forEach((name, index) => {
    const pair = new RegExp(`--${name}: light-dark\\((#[0-9a-f]+), (#[0-9a-f]+)\\)`).exec(css);
    assert.deepEqual([pair?.[1], pair?.[2]], [grounds.light[index], grounds.dark[index]], name);
  });
});

test('text, states and control borders of tokens.css keep their contrast on every ground', async () => {
  const css = await readFile(new URL('../../tokens/tokens.css', import.meta.url), 'utf8');
  const token = (name: string, scheme: 'light' | 'dark') => {
    const pair = new RegExp(`--${name}: light-dark\\((#[0-9a-f]+), (#[0-9a-f]+)\\)`).exec(css);
    return parseHex(scheme === 'light' ? pair?.[1] : pair?.[2])!;
  };
  for (const scheme of schemes) {
    for (const ground of grounds[scheme].map((hex) => parseHex(hex)!)) {
      for (const name of ['ink', 'ink-muted', 'accent-text', 'positive', 'caution', 'danger']) {
        assert.ok(contrast(token(name, scheme), ground) >= 4.5, `${name} in ${scheme}`);
      }
      assert.ok(contrast(token('line-strong', scheme), ground) >= 3, `line-strong in ${scheme}`);
    }
    for (const name of ['positive', 'caution', 'danger', 'accent']) {
      const ink = name === 'accent' ? 'accent-text' : name;
      assert.ok(
        contrast(token(ink, scheme), token(`${name}-soft`, scheme)) >= 4.5,
        `${name}-soft in ${scheme}`,
      );
    }
    assert.ok(contrast(token('accent-ink', scheme), token('accent', scheme)) >= 4.5);
    assert.ok(contrast(token('danger-ink', scheme), token('danger-fill', scheme)) >= 4.5);
  }
});
