import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createNodeBench, type NodeBench } from '#engine/nodes/testing';
import { dataConverter } from '#engine/nodes/data-converter';
import { zipOf } from '#formats/testing';

let bench: NodeBench;
before(async () => {
  bench = await createNodeBench();
});
after(() => bench.close());

type Body = Record<string, unknown>;
const convert = (settings: object, values?: object): Promise<Body> =>
  bench.body(dataConverter, settings, values);
const refuse = (settings: object, values?: object): Promise<string> =>
  bench.failure(dataConverter, settings, values);
const textOf = async (body: Body): Promise<string> => String(await bench.content(String(body['file_url'])));

const rows = [
  { sku: 'A1', qty: 3, note: 'say "hi", twice' },
  { sku: 'B2', qty: 0, note: null },
];

test('rows become CSV text and CSV text becomes rows again', async () => {
  const written = await convert({ operation: 'json_to_csv', data: rows });
  assert.deepEqual(written, {
    csv_content: 'sku,qty,note\nA1,3,"say ""hi"", twice"\nB2,0,\n',
    row_count: 2,
    column_count: 3,
  });
  const read = await convert({ operation: 'csv_to_json', data: written['csv_content'] });
  assert.deepEqual(read, {
    parsed_data: [
      { sku: 'A1', qty: '3', note: 'say "hi", twice' },
      { sku: 'B2', qty: '0', note: '' },
    ],
    total_rows: 2,
    columns: ['sku', 'qty', 'note'],
  });
});

test('delimiter and line ending are found in the text, or read as they are written in a form', async () => {
  const read = async (data: string, more: object = {}): Promise<unknown> =>
    (await convert({ operation: 'csv_to_json', data, ...more }))['parsed_data'];
  const wanted = [{ a: '1,5', b: 'x' }];
  assert.deepEqual(await read('\uFEFFa;b\r\n1,5;x\r\n'), wanted);
  assert.deepEqual(await read('a\tb\n1,5\tx\n'), wanted);
  assert.deepEqual(await read('a|b\r1,5|x\r'), wanted);
  assert.deepEqual(await read('"a;1;2",b\n"1,5",x\n'), [{ 'a;1;2': '1,5', b: 'x' }]);
  assert.deepEqual(await read('a\tb\n1,5\tx\n', { delimiter: '\\t', line_ending: '\\n' }), wanted);
  const tabs = await convert({
    operation: 'json_to_csv',
    data: rows,
    delimiter: '\\t',
    line_ending: '\\r\\n',
  });
  assert.match(String(tabs['csv_content']), /^sku\tqty\tnote\r\n/);
});

test('a header with holes, doubles or dangerous names still names every column once', async () => {
  const data = 'id,,id,__proto__\n1,2,3,4,5\n6\n';
  assert.deepEqual((await convert({ operation: 'csv_to_json', data }))['parsed_data'], [
    { id: '1', column_2: '2', id_2: '3', ___proto__: '4', column_5: '5' },
    { id: '6', column_2: null, id_2: null, ___proto__: null },
  ]);
  const bare = await convert({ operation: 'csv_to_json', data: '1,2\n', has_header: false, headers: 'a,b' });
  assert.deepEqual(bare['parsed_data'], [{ a: '1', b: '2' }]);
});

test('text that a spreadsheet would run is disarmed in CSV, unless formulas are wanted', async () => {
  const data = [['=1+1', '@SUM(A1)', '+cmd|x', '-5', '+49 30 123', -5, 'a=b']];
  const off = await convert({ operation: 'json_to_csv', data, headers: ['a'], has_header: false });
  assert.equal(off['csv_content'], "'=1+1,'@SUM(A1),'+cmd|x,-5,+49 30 123,-5,a=b\n");
  const on = await convert({
    operation: 'json_to_csv',
    data,
    headers: ['a'],
    has_header: false,
    formulas: true,
  });
  assert.equal(on['csv_content'], '=1+1,@SUM(A1),+cmd|x,-5,+49 30 123,-5,a=b\n');
});

test('a CSV file becomes a JSON file, or rows when the data itself is asked for', async () => {
  const url = await bench.store('stock.csv', 'sku,qty\nA1,3\nB2,0\n', 'text/csv');
  const body = await convert({ operation: 'csv_file_to_json_file', file_url: url, ttl: '60' });
  const { file_url, file_id, created_at, expires_at, ...rest } = body;
  assert.deepEqual(rest, { file_name: 'stock.json', file_size: 51, format: 'json', total_rows: 2 });
  assert.equal(Date.parse(String(expires_at)) - Date.parse(String(created_at)), 60_000);
  assert.equal(typeof file_id, 'string');
  assert.deepEqual(JSON.parse(await textOf({ file_url })), [
    { sku: 'A1', qty: '3' },
    { sku: 'B2', qty: '0' },
  ]);
  const raw = await convert({ operation: 'csv_file_to_json_file', file_url: url, raw_data: true });
  assert.equal(raw['total_rows'], 2);
});

test('JSON becomes a CSV file with its columns in the order asked for', async () => {
  const url = await bench.store('rows.json', JSON.stringify(rows));
  const body = await convert({
    operation: 'json_to_csv_file',
    file_url: url,
    name: 'out',
    headers: 'qty, sku',
  });
  assert.equal(body['file_name'], 'out.csv');
  assert.equal(await textOf(body), 'qty,sku\n3,A1\n0,B2\n');
});

test('an Excel file is read as it was written: numbers, booleans, text that looks like a formula', async () => {
  const data = [{ name: '=1+1', qty: 3, ok: true, nothing: null, code: '007', deep: { a: [1] } }];
  const written = await convert({ operation: 'json_to_excel', data, name: 'stock.xlsx' });
  assert.equal(written['file_name'], 'stock.xlsx');
  const read = await convert({ operation: 'excel_to_json', file_url: written['file_url'] });
  assert.deepEqual(read['parsed_data'], [
    { name: '=1+1', qty: 3, ok: true, nothing: null, code: '007', deep: '{"a":[1]}' },
  ]);
  assert.deepEqual(read['columns'], ['name', 'qty', 'ok', 'nothing', 'code', 'deep']);
});

test('a CSV becomes an Excel file, and Excel files are merged into sheets or into one', async () => {
  const first = await convert({ operation: 'csv_to_excel', data: 'a,b\n1,2\n' });
  const second = await convert({ operation: 'csv_to_excel', data: 'b,c\n3,4\n' });
  const files = [first['file_url'], { file_url: second['file_url'] }];
  const apart = await convert({ operation: 'merge_excel', file_urls: files });
  assert.equal(apart['sheet_count'], 2);
  const other = await convert({ operation: 'excel_to_json', file_url: apart['file_url'], sheet: 2 });
  assert.deepEqual([other['parsed_data'], other['sheets']], [[{ b: '3', c: '4' }], ['Sheet1', 'Sheet1 2']]);
  const single = await convert({ operation: 'merge_excel', file_urls: files, single_sheet: 'true' });
  assert.deepEqual(
    (await convert({ operation: 'excel_to_json', file_url: single['file_url'] }))['parsed_data'],
    [
      { a: '1', b: '2', c: null },
      { a: null, b: '3', c: '4' },
    ],
  );
  assert.match(
    await refuse({ operation: 'excel_to_json', file_url: single['file_url'], sheet: 'Nope' }),
    /no sheet "Nope", only "Merged"/,
  );
});

test('a spreadsheet that explodes, lies about its size or is none is refused', async () => {
  const zeros = Buffer.alloc(110 * 1024 * 1024);
  const bomb = await bench.store('bomb.xlsx', zipOf([{ name: 'xl/worksheets/sheet1.xml', content: zeros }]));
  assert.match(
    await refuse({ operation: 'excel_to_json', file_url: bomb }),
    /unpacked it is larger than 100 MB/,
  );
  const liar = zipOf([{ name: 'xl/workbook.xml', content: zeros.subarray(0, 1_000_000), declaredSize: 10 }]);
  assert.match(
    await refuse({ operation: 'excel_to_json', file_url: await bench.store('liar.xlsx', liar) }),
    /"liar\.xlsx" cannot be read or written as Excel: /,
  );
  const text = await bench.store('text.xlsx', 'not a spreadsheet');
  assert.match(await refuse({ operation: 'excel_to_json', file_url: text }), /"text\.xlsx" cannot be read/);
});

test('data is written to a file, and a taken name is replaced or refused', async () => {
  const write = (more: object): object => ({
    operation: 'write_file',
    name: 'report',
    format: 'json',
    data: rows,
    ...more,
  });
  const first = await convert(write({ infinite_expiry: true }));
  assert.deepEqual(JSON.parse(await textOf(first)), rows);
  assert.equal(first['expires_at'], null);
  assert.match(await refuse(write({ overwrite: false })), /"report\.json" exists already/);
  const second = await convert(write({ data: { v: 2 } }));
  assert.deepEqual(JSON.parse(await textOf(second)), { v: 2 });
  await assert.rejects(bench.content(String(first['file_url'])), { code: 'file_not_found' });
  assert.equal(await textOf(await convert(write({ format: 'txt', data: 'plain' }))), 'plain');
  assert.match(await textOf(await convert(write({ format: 'csv' }))), /^sku,qty,note\n/);
  assert.equal((await convert(write({ format: 'xlsx' })))['format'], 'xlsx');
});

test('base64 becomes a file byte for byte, and what is not base64 is refused', async () => {
  const bytes = Buffer.from([0, 255, 10, 13, 200]);
  const body = await convert({ operation: 'base64_to_file', name: 'x.bin', data: bytes.toString('base64') });
  assert.ok(bytes.equals(await bench.content(String(body['file_url']))));
  const url = await convert({ operation: 'base64_to_file', name: 'x', data: 'data:image/png;base64,aGk=' });
  assert.equal(await textOf(url), 'hi');
  for (const data of ['not base64!', 'abcde']) {
    assert.match(await refuse({ operation: 'base64_to_file', name: 'x', data }), /as base64/);
  }
});

const isa =
  'ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260301*1200*U*00401*000000001*0*P*:~';
const interchange = `${isa}GS*PO*S*R*20260301*1200*1*X*004010~ST*850*0001~BEG*00*SA*PO1**20260301~SV1*HC:99213*40~SE*4*0001~GE*1*1~IEA*1*000000001~`;

test('an X12 interchange becomes JSON and the same interchange again', async () => {
  const read = await convert({ operation: 'x12_to_json', data: interchange.replaceAll('~', '~\n') });
  const segments = read['segments'] as { id: string; elements: unknown[] }[];
  assert.deepEqual(read['delimiters'], { element: '*', segment: '~', component: ':' });
  assert.deepEqual(segments[4], { id: 'SV1', elements: [['HC', '99213'], '40'] });
  assert.equal((await convert({ operation: 'json_to_x12', data: read }))['content'], interchange);
  const named = await convert({ operation: 'json_to_x12', data: read, name: 'order.edi' });
  assert.equal(await textOf(named), interchange);
  const bars = interchange.replaceAll('*', '|').replaceAll('~', "'");
  assert.deepEqual((await convert({ operation: 'x12_to_json', data: bars }))['segments'], segments);
});

test('X12 that cannot be read, or would not be read again, is refused', async () => {
  const broken: [object, RegExp][] = [
    [{ operation: 'x12_to_json', data: 'ISA*00*short~' }, /shorter than 106/],
    [{ operation: 'x12_to_json', data: 'hello world' }, /segment 1 begins with "hello world"/],
    [
      { operation: 'json_to_x12', data: { segments: [{ id: 'N1', elements: ['a*b'] }] } },
      /N101 holds a delimiter: "a\*b"/,
    ],
    [
      { operation: 'json_to_x12', data: { segments: [{ id: 'n1', elements: [] }] } },
      /segment 1 needs an "id"/,
    ],
    [{ operation: 'json_to_x12', data: { a: 1 } }, /give \{"segments"/],
  ];
  for (const [settings, text] of broken) assert.match(await refuse(settings), text);
});

const cxml = `<?xml version="1.0"?>
<!DOCTYPE cXML SYSTEM "http://xml.cxml.org/schemas/cXML/1.2.014/cXML.dtd">
<cXML payloadID="1@x"><Request><Item lineNumber="007"><Money currency="EUR">5.10</Money><D>a &lt; b &amp; c</D></Item></Request></cXML>`;

test('cXML becomes JSON and cXML again, values unchanged', async () => {
  const read = await convert({ operation: 'cxml_to_json', data: cxml });
  assert.deepEqual(read, {
    cXML: {
      '@payloadID': '1@x',
      Request: {
        Item: { '@lineNumber': '007', Money: { '@currency': 'EUR', '#text': '5.10' }, D: 'a < b & c' },
      },
    },
  });
  const { content } = await convert({ operation: 'json_to_cxml', data: read });
  assert.match(String(content), /^<\?xml version="1\.0" encoding="UTF-8"\?>\n<!DOCTYPE cXML SYSTEM/);
  assert.deepEqual(await convert({ operation: 'cxml_to_json', data: content }), read);
});

test('XML that declares entities, nests without end or is broken is refused, and nothing is loaded', async () => {
  const laughs = `<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><lolz>&b;</lolz>`;
  const xxe = `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>`;
  const outside = `<!DOCTYPE r SYSTEM "x"><!ENTITY x SYSTEM "file:///etc/passwd"><r>&x;</r>`;
  for (const data of [laughs, xxe, outside]) {
    assert.match(await refuse({ operation: 'cxml_to_json', data }), /entities, which are not read/);
  }
  const deep = '<a>'.repeat(500) + '</a>'.repeat(500);
  assert.match(await refuse({ operation: 'cxml_to_json', data: deep }), /more than 100 deep/);
  assert.match(await refuse({ operation: 'cxml_to_json', data: '<a><b></a>' }), /as XML: .*line 1/);
  const evil = { r: { 'x><script': '1' } };
  assert.match(await refuse({ operation: 'json_to_cxml', data: evil }), /"x><script" is not a name/);
});

test('what is too large for one step is refused with the way out', async () => {
  const data = 'x'.repeat(5 * 1024 * 1024 + 1);
  for (const operation of ['csv_to_json', 'cxml_to_json', 'base64_to_file', 'x12_to_json']) {
    assert.match(await refuse({ operation, data, name: 'n' }), /larger than 5 MB.*File Handler/);
  }
  const url = await bench.store('big.xlsx', Buffer.alloc(5 * 1024 * 1024 + 1));
  assert.match(
    await refuse({ operation: 'excel_to_json', file_url: url }),
    /"big\.xlsx" is larger than 5 MB.*File Handler/,
  );
});

test('wrong settings are refused by the name of the field', async () => {
  const wrong: [object, RegExp][] = [
    [{ operation: 'json_to_pdf' }, /^operation: use one of csv_file_to_json_file/],
    [{ operation: 'csv_to_json' }, /^data: is what is converted/],
    [{ operation: 'excel_to_json' }, /^file_url: name the file/],
    [{ operation: 'merge_excel' }, /^file_urls: name the files/],
    [{ operation: 'write_file', data: 1 }, /^format: use json, txt, csv or xlsx/],
    [{ operation: 'csv_to_json', data: 'a', delimiter: ',,' }, /^delimiter: is one character/],
    [{ operation: 'csv_to_json', data: 'a', line_ending: 'x' }, /^line_ending: is/],
    [{ operation: 'write_file', data: 1, format: 'txt', ttl: 'soon' }, /^ttl: must be a number/],
    [{ operation: 'json_to_csv', data: [{ a: 1 }, 5] }, /row 2 is neither/],
    [{ operation: 'json_to_csv', data: '{broken' }, /"data" cannot be read or written as JSON/],
  ];
  for (const [settings, text] of wrong) assert.match(await refuse(settings), text);
});
