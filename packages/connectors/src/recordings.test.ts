/** Every recording of every connector, replayed; and every connector through the common suite. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { listConnectors } from '#index';
import { checkConnector, connectorFiles, type FileReader } from '#kit/check';
import { type Recording, replay, subjectOf } from '#kit/recording';

const disk: FileReader = {
  read: (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined),
  list: (folder) => (existsSync(folder) ? readdirSync(folder) : []),
};

for (const connector of listConnectors()) {
  const files = connectorFiles(connector, disk);

  describe(`${connector.slug} recordings`, () => {
    for (const [name, recording] of files.recordings) {
      test(`${name} replays`, async () => {
        const subject = subjectOf(name);
        assert.ok(
          subject,
          'a recording is named <action>.<case>.json, options.<list>.<case>.json or the like',
        );
        assert.deepEqual(await replay(connector, subject, recording as Recording), []);
      });
    }
  });

  test(`${connector.slug} keeps every rule of the common suite`, async () => {
    const problems = await checkConnector(connector, files);
    assert.deepEqual(
      problems.map(({ rule, message }) => `${rule}: ${message}`),
      [],
    );
  });
}
