/** What the package gives, and what it needs. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const ROOT = new URL('../', import.meta.url);
const PACKAGE = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));

function sources(folder = 'src/') {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return sources(`${folder}${entry.name}/`);
    return entry.name.endsWith('.js') ? [`${folder}${entry.name}`] : [];
  });
}

test('everything that is exported is there under the name of the package, with its types', async () => {
  for (const [path, { types, default: file }] of Object.entries(PACKAGE.exports)) {
    const given = await import(path.replace('.', 'ctiex'));
    const declared = readFileSync(new URL(types, ROOT), 'utf8');
    const names = [...declared.matchAll(/export (?:class|const|function) (\w+)/g)].map(([, name]) => name);
    for (const name of names) assert.ok(name in given, `${name} of ${types}`);
    if (path === '.') continue; // it gathers the others
    for (const name of Object.keys(given)) assert.match(declared, new RegExp(`\\b${name}\\b`), `${name} of ${file}`);
  }
});

test('only the TCP transport needs Node, and nothing needs a package', () => {
  for (const file of sources()) {
    const text = readFileSync(new URL(file, ROOT), 'utf8');
    const needed = [...text.matchAll(/(?:from|import\() ?'([^']+)'/g)].map(([, name]) => name);
    const foreign = needed.filter((name) => !name.startsWith('.'));
    assert.deepEqual(foreign, file === 'src/transport.js' ? ['node:net', 'node:tls'] : [], file);
    if (file !== 'src/transport.js')
      assert.doesNotMatch(text.replace(/\/\*\*?[^]*?\*\/|\/\/.*/g, ''), /\b(Buffer|process|require)\b/, file);
  }
  assert.equal(PACKAGE.dependencies, undefined);
});
