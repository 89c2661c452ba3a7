/**
 * What is used of the AWS SDK. The package has this file with the SDK in it (`launch/build.mjs`): installed as packages of their own its
 * sources would take thirty times as much. Loaded with the first call of a store on S3, and by nobody else.
 */
export {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
export { getProfileName, loadSharedConfigFiles } from '@smithy/core/config';
