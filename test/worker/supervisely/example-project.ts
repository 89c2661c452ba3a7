/** A project with what people mark on images, as a Supervisely server tells of it. Masks are written by its own SDK. */
import { deflateSync } from 'node:zlib';
import type { ProjectStandIn, StandInImage, StandInProject } from '../../stores/servers/project-stand-in.ts';

export const size = { height: 24, width: 32 };

const mask =
  'eJzrDPBz5+WS4mJgYOD19HAJAtIsQMzMyAwk+6xsWoEUW4BPiCuQ/v///9Kb8+8CWYwlQX7BDA7PbqQBOXyeLo4hFXOSMxJ+HTjCwMCaxFi6Q2F7CFCGwdPVz2WdU0ITAJRdGw8=';
const alphaMask =
  'eJzrDPBz5+WS4mJgYOD19HAJAtIsQMzMASQYJs7/KAWkmEqC/IIZGMomn7UA8sQ9XRxDKuYkWxw8cODAiYKmxsbOxsZGRgbBYMYpVayM80AaPV39XNY5JTQBAMf9GFo=';

const nodes = (first: [number, number], second: [number, number]) => ({ nose: { loc: first }, tail: { loc: second } });
const template = {
  nodes: {
    nose: { label: 'nose', loc: [0, 0], color: '#0000FF' },
    tail: { label: 'tail', loc: [1, 1], color: '#0000FF' },
  },
  edges: [],
};

const classes = {
  box: 'rectangle',
  ring: 'polygon',
  mask: 'bitmap',
  alpha: 'alpha_mask',
  tilted: 'oriented_bbox',
  cat: 'graph',
};

/** Figures of alpha masks have this number and those after it. */
const firstFigure = 900;

export const exampleProject = (id = 1951): StandInProject => ({
  ...{ id, name: 'fruit', type: 'images', settings: {} },
  meta: {
    classes: Object.entries(classes).map(([title, shape], index) => ({
      ...{ id: 10 + index, title, shape, color: '#268A0F', description: '', hotkey: '' },
      geometry_config: shape === 'graph' ? template : {},
    })),
    tags: [
      { id: 70, name: 'ripe', value_type: 'none', color: '#0F3C8A', hotkey: '', applicable_type: 'all', classes: [] },
    ],
    projectType: 'images',
  },
  dataSets: [
    { id: id * 10, name: 'ds 1', parentId: null, images: [1, 2, 3, 4, 5].map((number) => image(id * 100 + number)) },
    { id: id * 10 + 1, name: 'inner', parentId: id * 10, images: [image(id * 100 + 6, 'ä ö & 100%')] },
    { id: id * 10 + 2, name: 'ds2', parentId: null, images: [image(id * 100 + 7, 'a.jpg')] },
  ],
});

/** With what its alpha masks are. */
export function addProject(server: ProjectStandIn, project: StandInProject): void {
  server.projects.push(project);
  for (const { annotation } of project.dataSets.flatMap(({ images }) => images))
    for (const label of annotation.objects)
      if (label.geometryType === 'alpha_mask')
        server.geometries.set(Number(label.id), { origin: [3.7, 2.2], data: alphaMask });
}

function image(id: number, name = `${id}.png`): StandInImage {
  return { id, name, bytes: png(id), mime: 'image/png', ...size, annotation: annotation(id) };
}

/** The edges that tell whether coordinates are rounded as they are to be. */
function annotation(id: number): StandInImage['annotation'] {
  const label = (classTitle: keyof typeof classes, index: number, geometry: object) => ({
    ...{ id: id * firstFigure + index, classId: 10, description: '', tags: [], labelerLogin: 'anna' },
    ...{
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:00.000Z',
      nnCreated: false,
      nnUpdated: false,
    },
    ...{ geometryType: classes[classTitle], shape: classes[classTitle], classTitle, ...geometry },
  });
  const outline = (exterior: number[][], interior: number[][][] = []) => ({ points: { exterior, interior } });
  return {
    description: '',
    size,
    tags: [{ id, tagId: 70, name: 'ripe', value: null, labelerLogin: 'anna' }],
    objects: [
      label(
        'box',
        0,
        outline([
          [1.74, 1.55],
          [3.76, 4.63],
        ]),
      ),
      label(
        'box',
        1,
        outline([
          [31.9, 20.69],
          [7.29, 24],
        ]),
      ),
      label(
        'box',
        2,
        outline([
          [4.1, 4.8],
          [4.9, 4.2],
        ]),
      ),
      label(
        'box',
        3,
        outline([
          [5.71, 5.7],
          [5.9, 6.31],
        ]),
      ),
      label(
        'ring',
        4,
        outline(
          [
            [0, 0],
            [32, 0.9],
            [31.99, 24],
            [0.5, 23.2],
          ],
          [
            [
              [3.3, 3.9],
              [6, 3],
              [6, 6.5],
            ],
          ],
        ),
      ),
      label('mask', 5, { bitmap: { origin: [2.6, 3.2], data: mask } }),
      label('alpha', 6, {}),
      label('tilted', 7, {
        points: [
          [12.8, 10.4],
          [3.2, 2.71],
        ],
        angle: 0.3,
      }),
      label('cat', 8, { nodes: nodes([4.5, 3.2], [32, 24]) }),
    ],
    customBigData: {},
  };
}

/** Of one colour, which `seed` decides. */
function png(seed: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size.width, 0);
  header.writeUInt32BE(size.height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([
    Buffer.from([0]),
    Buffer.alloc(size.width * 3, Buffer.from([seed, seed >> 8, seed >> 16])),
  ]);
  const pixels = Buffer.concat(Array.from({ length: size.height }, () => row));
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(pixels)), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  let crc = -1;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeInt32BE(~crc);
  return Buffer.concat([length, body, sum]);
}
