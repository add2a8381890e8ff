import {
  type Colour,
  chromaOf,
  contrast,
  legibleOn,
  lightnessOf,
  parseHex,
  toHex,
  white,
  black,
  withLightness,
} from './colour.ts';

/** The two colours a connect URL may carry, as received: they may be anything. */
export interface BrandColours {
  readonly color?: unknown;
  readonly bgColor?: unknown;
}

type Scheme = 'light' | 'dark';

/** The tokens' grounds on which brand colours must be legible; `brand.test.ts` keeps them equal to tokens.css. */
export const grounds: Record<Scheme, readonly string[]> = {
  light: ['#f4f2ee', '#fdfcfa', '#f8f6f2', '#efece6', '#ffffff'],
  dark: ['#131517', '#1b1e21', '#22262a', '#15181a', '#23272b'],
};

const surface: Record<Scheme, string> = { light: '#fdfcfa', dark: '#1b1e21' };

const text = 4.5;
const strongText = 7;
const mark = 3;
/** Below this chroma nobody sees a hue. */
const grey = 0.03;

/**
 * The custom properties that dress the page in the organisation's colours, each a light-dark() pair.
 *
 * `bgColor` fills the header and the main buttons, `color` is the text on it, exactly as given when the two
 * reach 4.5:1; otherwise the text moves along its own hue until they do. Links, focus and switches stand on
 * our grounds, so they take the more colourful of the two, moved the same way. Nothing given, nothing set:
 * the tokens hold.
 */
export function brandProperties({ color, bgColor }: BrandColours): Record<string, string> {
  const ink = parseHex(color);
  const fill = parseHex(bgColor);
  if (ink === undefined && fill === undefined) return {};
  const light = schemeColours('light', ink, fill);
  const dark = schemeColours('dark', ink, fill);
  return Object.fromEntries(
    Object.keys(light).map((name) => [name, `light-dark(${toHex(light[name]!)}, ${toHex(dark[name]!)})`]),
  );
}

function schemeColours(
  scheme: Scheme,
  ink: Colour | undefined,
  fill: Colour | undefined,
): Record<string, Colour> {
  const all = grounds[scheme].map((hex) => parseHex(hex)!);
  const base = parseHex(surface[scheme])!;
  const background = fill ?? legibleOn(ink!, all, text);
  const onBackground = inkOn(background, fill === undefined ? undefined : ink);

  const hue = [fill, ink].filter((c) => c !== undefined).toSorted((a, b) => chromaOf(b) - chromaOf(a))[0]!;
  const soft = softShade(hue, scheme);
  const onGround = legibleOn(hue, [...all, soft], text);

  const band = bandShade(background, scheme, base);
  return {
    '--accent': background,
    '--accent-ink': onBackground,
    '--accent-hover': hoverShade(background, onBackground),
    '--accent-edge': contrast(background, base) >= mark ? background : legibleOn(background, all, mark),
    '--accent-text': onGround,
    '--accent-soft': soft,
    '--focus': onGround,
    '--band': band,
    '--band-ink': inkOn(band, onBackground),
  };
}

/** The wanted text colour where it is legible; else its hue moved well clear, or plain black or white. */
function inkOn(background: Colour, wanted: Colour | undefined): Colour {
  if (wanted === undefined) return bestInk(background);
  if (contrast(wanted, background) >= text) return wanted;
  return chromaOf(wanted) < grey ? bestInk(background) : legibleOn(wanted, [background], strongText);
}

function bestInk(background: Colour): Colour {
  return contrast(white, background) >= contrast(black, background) ? white : black;
}

/** A tint that reads as a ground: the hue is felt, the lightness is the scheme's. */
function softShade(hue: Colour, scheme: Scheme): Colour {
  return withLightness(hue, scheme === 'light' ? 0.94 : 0.3, chromaOf(hue) > 0.1 ? 0.3 : 0.6);
}

/** One visible step away from the resting fill, towards more contrast with its text. */
function hoverShade(background: Colour, ink: Colour): Colour {
  const step = lightnessOf(ink) > lightnessOf(background) ? -0.05 : 0.05;
  const stepped = withLightness(background, Math.min(1, Math.max(0, lightnessOf(background) + step)));
  return contrast(stepped, ink) >= text ? stepped : background;
}

/** White paper in a dark room is a lamp: a header without hue takes the scheme's own surface there. */
function bandShade(background: Colour, scheme: Scheme, base: Colour): Colour {
  const isPaper = chromaOf(background) < grey && lightnessOf(background) > 0.85;
  return isPaper && scheme === 'dark' ? base : background;
}
