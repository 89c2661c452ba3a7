/** A worker lives for months, and credentials for hours: those that are renewed in their file are taken up. */
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasS3, s3, s3Server } from './s3-stage.ts';

const profile = (secret: string) =>
  `[default]\naws_access_key_id = ${s3Server().accessKey}\naws_secret_access_key = ${secret}\n`;

describe.skipIf(!hasS3)('S3', () => {
  if (hasS3) s3.hooks();

  let before: NodeJS.ProcessEnv;
  let file: string;
  beforeEach(async () => {
    before = { ...process.env };
    file = await s3.local('credentials', profile('of yesterday'));
    process.env.AWS_SHARED_CREDENTIALS_FILE = file;
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
      delete process.env[name];
  });
  afterEach(() => {
    process.env = before;
  });

  it('is asked with the credentials that stand in their file now', async () => {
    await expect(s3.impatient().read('a/file')).rejects.toThrow(/renew the AWS credentials/);
    await writeFile(file, profile(s3Server().secretKey));
    expect(await s3.impatient().read('a/file')).toBeNull();
  });
});
