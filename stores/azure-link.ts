/**
 * Addresses of blobs that are signed for a while: shared access signatures for one blob, to be read. An access key signs them here; for an identity
 * Azure gives a key for just that long. A shared access signature signs nothing, and is not handed on itself: it opens the whole account.
 */
import type { BlobServiceClient } from '@azure/storage-blob';
import { statusOf } from './azure-errors.ts';
import type { LinkOptions } from './bucket.ts';
import { linkEndpoint } from './link-endpoint.ts';

/** Of Azure's clouds, which are reached from everywhere. */
const azures = /\.blob\.(core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net|storage\.azure\.net)$/;
/** A clock of Azure's may be behind the one that told the time. */
const allowanceMs = 60_000;
/** Of what is signed: servers that are not Azure's own know later ones late. */
const version = '2020-12-06';

/** `now`: by Azure's clock. Null where this worker cannot sign, and where nobody but it is known to reach the server. */
export async function azureLink(
  service: BlobServiceClient,
  at: { container: string; key: string },
  { seconds, type, disposition }: LinkOptions,
  { now, abortSignal }: { now: number; abortSignal: AbortSignal },
): Promise<string | null> {
  const sdk = await import('./azure-sdk.ts');
  const { credential, accountName } = service;
  const own = new URL(service.url);
  const endpoint = linkEndpoint('EPOCHAL_LINK_ENDPOINT_AZURE', azures.test(own.hostname) ? own.href : null);
  if (endpoint === null || credential instanceof sdk.AnonymousCredential) return null;
  const expiresOn = new Date(now + seconds * 1000);
  const what = {
    containerName: at.container,
    blobName: at.key,
    permissions: sdk.BlobSASPermissions.parse('r'),
    expiresOn,
    version,
    protocol: endpoint.startsWith('https:') ? sdk.SASProtocol.Https : sdk.SASProtocol.HttpsAndHttp,
    contentType: type,
    contentDisposition: disposition,
  };
  const signed = async () => {
    if (credential instanceof sdk.StorageSharedKeyCredential)
      return sdk.generateBlobSASQueryParameters(what, credential);
    const key = await service
      .getUserDelegationKey(new Date(now - allowanceMs), expiresOn, { abortSignal })
      .catch((error: unknown) => {
        // It may read and write blobs, and not hand that on.
        if (statusOf(error) === 403) return null;
        throw error;
      });
    return key && sdk.generateBlobSASQueryParameters(what, key, accountName);
  };
  const signature = await signed();
  const blob = new sdk.BlobServiceClient(endpoint).getContainerClient(at.container).getBlobClient(at.key);
  return signature && `${blob.url}?${signature.toString()}`;
}
