/** Settings of the server that are refused. */
import { describe, expect, it } from 'vitest';
import { readServerSettings, ServerSettingsError } from '../../server/settings.ts';

describe('settings', () => {
  it('refuse to ask for no token where others can reach the server', () => {
    const reached = [
      ...['0.0.0.0', '::', '192.168.1.5', 'gpu-box'].map((address) => ({ EPOCHAL_SERVER_ADDRESS: address })),
      { EPOCHAL_SERVER_NAMES: 'train.example.org' },
      { EPOCHAL_SERVER_PROXIES: '1' },
    ];
    for (const env of reached) {
      expect(() => readServerSettings({ ...env, EPOCHAL_TOKEN: 'none' })).toThrow(
        /EPOCHAL_TOKEN is "none", and EPOCHAL_/,
      );
      expect(readServerSettings(env).token).toEqual({ kind: 'made' });
    }
    for (const address of ['127.0.0.1', 'localhost', '::1']) {
      const { token } = readServerSettings({ EPOCHAL_SERVER_ADDRESS: address, EPOCHAL_TOKEN: 'none' });
      expect(token).toEqual({ kind: 'none' });
    }
  });

  it('want both halves of TLS', () => {
    expect(() => readServerSettings({ EPOCHAL_SERVER_TLS_CERT: 'a.pem' })).toThrow('EPOCHAL_SERVER_TLS_KEY is missing');
    expect(() => readServerSettings({ EPOCHAL_SERVER_TLS_KEY: 'a.pem' })).toThrow('EPOCHAL_SERVER_TLS_CERT is missing');
  });

  it('never tell a bad token', () => {
    for (const bad of ['too-short', 'with a space in the middle of it']) {
      const thrown = (() => {
        try {
          return readServerSettings({ EPOCHAL_TOKEN: bad });
        } catch (error) {
          return error;
        }
      })();
      expect(thrown).toBeInstanceOf(ServerSettingsError);
      expect(String(thrown)).toContain('at least 16 printable ASCII characters');
      expect(String(thrown)).not.toContain(bad);
    }
    expect(() => readServerSettings({ EPOCHAL_SERVER_PORT: '70000' })).toThrow('EPOCHAL_SERVER_PORT is "70000"');
  });
});
