/**
 * A secret as it is found again in requests, answers and errors: as it is, inside JSON (also twice, as in a text
 * that holds JSON), in URLs and forms, in XML and HTML, and in Base64 wherever it begins in the encoded bytes, as
 * in `Authorization: Basic`. All but the first are left out where they equal it.
 */
export function writtenForms(secret: string): string[] {
  const inJson = jsonText(secret);
  const inUrl = urlText(secret);
  return [
    ...new Set([
      secret,
      inJson,
      jsonText(inJson),
      inUrl,
      encodeURI(secret.toWellFormed()),
      new URLSearchParams([['', secret]]).toString().slice(1),
      inUrl.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
      markupText(secret),
      ...base64Forms(secret),
    ]),
  ];
}

function jsonText(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function urlText(text: string): string {
  // A lone surrogate cannot be written in a URL at all.
  return encodeURIComponent(text.toWellFormed());
}

function markupText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Shorter ones leave too few characters of their own in Base64 to tell them from anything else. */
const shortestInBase64 = 6;

/** The characters that depend on the secret alone, for each of the three places where it may begin in a group of 3 bytes. */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  if (bytes.length < shortestInBase64) return [];
  return [0, 1, 2].flatMap((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Four characters carry three bytes: the first and last ones may hold bits of a neighbour.
    const own = text.slice(Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
