// Frames of a server, decoded by Grafana's own front-end package (@grafana/data): values equal what was asked for,
// those that JSON has no number for included.
//
//     node grafana_data.mjs http://127.0.0.1:8086 admin admin      (with @grafana/data beside, or NODE_PATH)
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

// The package asks for a browser as it loads; decoding needs none.
const noop = () => {};
globalThis.window = globalThis;
globalThis.addEventListener ??= noop;
globalThis.location ??= { search: '', hash: '', pathname: '/', origin: process.argv[2] };
globalThis.document ??= { createElement: () => ({ style: {} }), addEventListener: noop, documentElement: { style: {} } };

const require = createRequire(process.env.GRAFANA_DATA_FROM ?? import.meta.url);
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
  console.log('ok');
} finally {
  await call('DELETE', `/api/datasources/uid/${datasource.uid}`);
}
