/**
 * What is used of OpenTelemetry. The package has this file with the libraries in it (`launch/build.mjs`): as packages of their own they would take
 * a hundred times as much. Loaded where traces are sent, and nowhere else.
 */
export { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
export { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
export { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
export { BatchSpanProcessor } from '@opentelemetry/sdk-trace';
