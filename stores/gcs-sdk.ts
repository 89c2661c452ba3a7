/**
 * What is used of Google's libraries: credentials, and the client of HTTP that they use themselves. The client of Cloud Storage on top of that takes no
 * signal to end a request by, and no idle limit. The package has this file with the libraries in it (`launch/build.mjs`). Loaded with the first
 * call of a store on Google Cloud Storage, and by nobody else.
 */
export { GoogleAuth, gaxios } from 'google-auth-library';
