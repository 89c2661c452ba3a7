/**
 * What is used of Azure's SDK. The package has this file with the SDK in it (`launch/build.mjs`): installed as packages of their own its
 * sources would take sixty times as much. Loaded with the first call of a store on Azure, and by nobody else.
 */
export { DefaultAzureCredential } from '@azure/identity';
export {
  AnonymousCredential,
  BlobSASPermissions,
  BlobServiceClient,
  generateBlobSASQueryParameters,
  newPipeline,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob';
