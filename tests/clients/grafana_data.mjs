// Frames of a server, decoded by Grafana's own front-end package (@grafana/data): values equal what was asked for,
// those that JSON has no number for included.
//
//     ISOPOINT_GRAFANA_DATA=…/package.json node grafana_data.mjs http://127.0.0.1:8086 admin admin
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

// The package asks for a browser as it loads; decoding needs none.
const noop = () => {};
globalThis.window = globalThis;
globalThis.addEventListener ??= noop;
globalThis.location ??= { search: '', hash: '', pathname: '/', origin: process.argv[2] };
globalThis.document ??= { createElement: () => ({ style: {} }), addEventListener: noop, documentElement: { style: {} } };

const require = createRequire(process.env.ISOPOINT_GRAFANA_DATA ?? import.meta.url);
const { dataFrameFromJSON } = require('@grafana/data');
const [server, user, password] = process.argv.slice(2);
const headers = {
  'Content-Type': 'application/json',
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
};

async function call(method, path, body) {
  const answer = await fetch(server + path, { method, headers, body: body && JSON.stringify(body) });
  return answer.json();
}

const { datasource } = await call('POST', '/api/datasources', {
  name: `frames-${Date.now()}`, type: 'testdata', access: 'proxy',
});
try {
  const query = (refId, model) => ({ refId, datasource: { uid: datasource.uid }, ...model });
  const { results } = await call('POST', '/api/ds/query', {
    from: '1600000000000', to: '1600000180000',
    queries: [
      query('F', { scenarioId: 'csv_metric_values', stringInput: '1.5,NaN,Inf,-Inf,null' }),
      query('I', { scenarioId: 'csv_metric_values', stringInput: '9007199254740991,-9007199254740991,0' }),
      query('N', {
        scenarioId: 'csv_content',
        csvContent: 'time,v\n2020-09-13T12:26:40.123456789Z,1\n1969-12-31T23:59:59.9999995Z,2\n',
      }),
      query('T', { scenarioId: 'random_walk_table', intervalMs: 60000 }),
      query('L', { scenarioId: 'logs', lines: 2 }),
    ],
  });
  const frame = (refId) => dataFrameFromJSON(results[refId].frames[0]);
  assert.deepEqual([...frame('F').fields[1].values], [1.5, NaN, Infinity, -Infinity, null]);
  assert.deepEqual([...frame('I').fields[1].values], [9007199254740991, -9007199254740991, 0]);
  const nanos = frame('N').fields[0];
  assert.deepEqual([...nanos.values], [1600000000123, -1]);
  assert.deepEqual([...nanos.nanos], [456789, 999500]);
  assert.deepEqual(frame('T').fields.map((field) => field.type), ['time', 'number', 'number', 'number', 'string', 'enum']);
  assert.deepEqual(frame('T').fields[5].config.type.enum.text, ['Unknown', 'Up', 'Down']);
  assert.equal(typeof frame('L').fields[0].values[0].hostname, 'string');
  // Beyond 2^53 JavaScript has no such number: the text has all digits.
  const raw = await fetch(`${server}/api/ds/query`, {
    method: 'POST', headers,
    body: JSON.stringify({ from: '0', to: '1', queries: [query('A', { scenarioId: 'csv_metric_values', stringInput: '9223372036854775807' })] }),
  });
  assert.match(await raw.text(), /\[9223372036854775807\]/);

  // The engine's own points: what `/query` says of them is what the frames hold.
  const name = `frames ${Date.now()}`;
  const form = (body) => ({ method: 'POST', headers: { Authorization: headers.Authorization }, body: new URLSearchParams(body) });
  assert.equal((await fetch(`${server}/query`, form({ q: `CREATE DATABASE "${name}"` }))).status, 200);
  const numbers = ['0.1', '-1e-300', '1.7976931348623157e308', '5e-324', '123456789.123456789'];
  const lines = numbers.map((v, at) => `m,host=h${at % 2} v=${v},n=${9007199254740991 - at}i,s="t${at}",b=${at % 2 === 0} ${(1600000000 + at) * 1e9}`);
  const written = await fetch(`${server}/write?${new URLSearchParams({ db: name })}`, { method: 'POST', headers: { Authorization: headers.Authorization }, body: lines.join('\n') });
  assert.equal(written.status, 204, await written.text());
  const own = await call('POST', '/api/datasources', { name, type: 'influxdb', access: 'proxy', url: 'local://', user, secureJsonData: { password }, jsonData: { dbName: name } });
  const text = 'SELECT v, n, s, b FROM m GROUP BY host';
  const asked = await fetch(`${server}/query`, form({ db: name, epoch: 'ms', q: text }));
  const { series } = (await asked.json()).results[0];
  const model = { refId: 'A', datasource: { uid: own.datasource.uid }, rawQuery: true, query: text };
  const answer = await call('POST', '/api/ds/query', {
    from: '1600000000000', to: '1600000180000',
    queries: [model],
  });
  const decoded = answer.results.A.frames.map((one) => dataFrameFromJSON(one));
  let at = 0;
  for (const { tags, columns, values } of series) {
    for (const [place, column] of columns.slice(1).entries()) {
      const { fields } = decoded[at++];
      assert.deepEqual(fields[1].labels, tags);
      assert.deepEqual([...fields[0].values], values.map((row) => row[0]), column);
      assert.deepEqual([...fields[1].values], values.map((row) => row[place + 1]), column);
    }
  }
  assert.equal(at, decoded.length);
  const divided = await call('POST', '/api/ds/query', {
    from: '1600000000000', to: '1600000180000',
    queries: [
      { ...model, query: 'SELECT n - 9007199254740989 FROM m' },
      { refId: 'E', datasource: { uid: '__expr__' }, type: 'math', expression: '$A / 0' },
    ],
  });
  const [{ fields: [, infinite] }] = divided.results.E.frames.map((one) => dataFrameFromJSON(one));
  assert.deepEqual([...infinite.values], [Infinity, Infinity, NaN, -Infinity, -Infinity]);
  await call('DELETE', `/api/datasources/uid/${own.datasource.uid}`);
  console.log('ok');
} finally {
  await call('DELETE', `/api/datasources/uid/${datasource.uid}`);
}
