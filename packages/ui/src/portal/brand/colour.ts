/** An sRGB colour, channels 0 to 255. */
export interface Colour {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

/** Lightness 0..1, chroma 0..~0.37, hue in radians. */
interface Oklch {
  readonly lightness: number;
  readonly chroma: number;
  readonly hue: number;
}

/** Reads `#rgb` or `#rrggbb`, and nothing else: what we cannot parse never reaches a style sheet. */
export function parseHex(value: unknown): Colour | undefined {
  if (typeof value !== 'string') return undefined;
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(value.trim())?.[1];
  if (digits === undefined) return undefined;
  const pairs = digits.length === 3 ? Array.from(digits, (digit) => digit + digit) : digits.match(/../g)!;
  const [red, green, blue] = pairs.map((pair) => Number.parseInt(pair, 16));
  return { red: red!, green: green!, blue: blue! };
}

export function toHex({ red, green, blue }: Colour): string {
  return `#${[red, green, blue].map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
}

/** WCAG 2.2 contrast ratio of two opaque colours, 1 to 21. */
export function contrast(a: Colour, b: Colour): number {
  const [high, low] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (high! + 0.05) / (low! + 0.05);
}

/** How far from grey, 0 to about 0.37; below 0.03 nobody sees a hue. */
export function chromaOf(colour: Colour): number {
  return toOklch(colour).chroma;
}

/** The same hue at another lightness; chroma gives way where sRGB has no such colour. */
export function withLightness(colour: Colour, lightness: number, chromaFactor = 1): Colour {
  const { chroma, hue } = toOklch(colour);
  for (let factor = chromaFactor; factor > 0.01; factor -= 0.04) {
    const candidate = fromOklch({ lightness, chroma: chroma * factor, hue });
    if (candidate !== undefined) return candidate;
  }
  const grey = fromOklch({ lightness, chroma: 0, hue: 0 });
  return grey ?? (lightness > 0.5 ? white : black);
}

export function lightnessOf(colour: Colour): number {
  return toOklch(colour).lightness;
}

/**
 * The colour itself when it reaches `ratio` against every ground, otherwise the nearest lightness of its hue
 * that does; black or white when no shade of it can.
 */
export function legibleOn(colour: Colour, grounds: readonly Colour[], ratio: number): Colour {
  const reaches = (candidate: Colour) => grounds.every((ground) => contrast(candidate, ground) >= ratio);
  if (reaches(colour)) return colour;
  const start = lightnessOf(colour);
  for (let distance = 0.01; distance <= 1; distance += 0.01) {
    for (const lightness of [start - distance, start + distance]) {
      if (lightness < 0 || lightness > 1) continue;
      const candidate = withLightness(colour, lightness);
      if (reaches(candidate)) return candidate;
    }
  }
  const worst = (candidate: Colour) => Math.min(...grounds.map((ground) => contrast(candidate, ground)));
  return worst(black) >= worst(white) ? black : white;
}

export const black: Colour = { red: 0, green: 0, blue: 0 };
export const white: Colour = { red: 255, green: 255, blue: 255 };

function toLinear(channel: number): number {
  const value = channel / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

function fromLinear(value: number): number {
  return value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055;
}

function luminance({ red, green, blue }: Colour): number {
  return 0.2126 * toLinear(red) + 0.7152 * toLinear(green) + 0.0722 * toLinear(blue);
}

// Björn Ottosson's OKLab (https://bottosson.github.io/posts/oklab/): equal steps of lightness look equal.
function toOklch(colour: Colour): Oklch {
  const [r, g, b] = [toLinear(colour.red), toLinear(colour.green), toLinear(colour.blue)];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const a = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const c = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  return {
    lightness: 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    chroma: Math.hypot(a, c),
    hue: Math.atan2(c, a),
  };
}

/** Undefined when the colour lies outside sRGB. */
function fromOklch({ lightness, chroma, hue }: Oklch): Colour | undefined {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  if (linear.some((value) => value < -0.001 || value > 1.001)) return undefined;
  const [red, green, blue] = linear.map((value) =>
    Math.round(Math.min(1, Math.max(0, fromLinear(Math.max(0, value)))) * 255),
  );
  return { red: red!, green: green!, blue: blue! };
}
