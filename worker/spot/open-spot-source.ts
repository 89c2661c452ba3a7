/** What `EPOCHAL_SPOT` names. The clouds' own variables move their metadata services elsewhere. */
import { AddressSpot } from './address-spot.ts';
import { AzureSpot } from './azure-spot.ts';
import { Ec2Spot } from './ec2-spot.ts';
import { GcpSpot } from './gcp-spot.ts';
import type { SpotSource } from './spot-source.ts';

export const spotClouds = ['ec2', 'gcp', 'azure'] as const;

/** `spot`: a cloud, or an http or https address. */
export function openSpotSource(spot: string, env: NodeJS.ProcessEnv): SpotSource {
  switch (spot) {
    case 'ec2':
      return new Ec2Spot(env.AWS_EC2_METADATA_SERVICE_ENDPOINT?.replace(/\/+$/, '') || undefined);
    case 'gcp':
      return new GcpSpot(env.GCE_METADATA_HOST ? `http://${env.GCE_METADATA_HOST}` : undefined);
    case 'azure':
      return new AzureSpot();
    default:
      return new AddressSpot(spot);
  }
}
