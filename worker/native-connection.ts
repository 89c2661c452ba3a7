/** The connection of what Temporal's worker polls with: that of a host, and that of what serves workflows. */
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, type NativeConnectionOptions } from '@temporalio/worker';

export interface TemporalAddress {
  /** `host:port` */
  address: string;
  namespace?: string;
}

/** Left out, the standard Temporal environment configuration says where it is. Throws when nobody answers there. */
export async function connect(
  temporal: TemporalAddress | undefined,
): Promise<{ connection: NativeConnection; namespace: string }> {
  if (temporal) {
    const connection = await NativeConnection.connect({ address: temporal.address });
    return { connection, namespace: temporal.namespace ?? 'default' };
  }
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions as NativeConnectionOptions);
  return { connection, namespace: namespace ?? 'default' };
}
