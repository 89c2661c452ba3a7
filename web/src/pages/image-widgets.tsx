/** Widgets of images, with what was found in them drawn over. */
import { Chip, Group, Slider, Text } from '@mantine/core';
import { useState } from 'react';
import type { GridImage, PageImage, ValueOf } from '../../../contracts/ui-values.ts';
import { formatMetric } from '../formatting.ts';
import { Notes } from './chart-widgets.tsx';
import { MarkShape } from './mark-shape.tsx';
import { colorOf, toggled } from './plane.tsx';
import { pageFileAddress } from './run-pages.ts';

/** The file itself, or why there is none. */
function Picture({ image, run, alt }: { image: PageImage; run: string; alt: string }) {
  if (image.file === null)
    return (
      <Text size="xs" c="dimmed" p="md" ta="center">
        {image.problem ?? 'This image was not kept.'}
      </Text>
    );
  const isSmall = Math.max(image.width, image.height) < 96;
  return (
    <img
      src={pageFileAddress(run, image.file)}
      alt={alt}
      loading="lazy"
      style={{ aspectRatio: `${image.width} / ${image.height}`, imageRendering: isSmall ? 'pixelated' : 'auto' }}
    />
  );
}

/** Small images are not blown up without end. */
const widest = ({ width }: PageImage) => ({ maxWidth: Math.min(640, Math.max(200, width * 10)) });

export function ImageView({ value, run }: { value: ValueOf<'image'>; run: string }) {
  return (
    <figure className="shown-figure" style={widest(value.image)}>
      <div className="shown-image">
        <Picture image={value.image} run={run} alt={value.caption} />
      </div>
      {value.caption && <figcaption>{value.caption}</figcaption>}
    </figure>
  );
}

export function ImagePairView({ value, run, label }: { value: ValueOf<'imagePair'>; run: string; label: string }) {
  const [percent, setPercent] = useState(50);
  return (
    <figure className="shown-figure" style={widest(value.before)}>
      <div className="shown-image">
        <Picture image={value.before} run={run} alt={`${value.caption} before`} />
        <div className="over" style={{ clipPath: `inset(0 0 0 ${percent}%)` }}>
          <Picture image={value.after} run={run} alt={`${value.caption} after`} />
        </div>
      </div>
      <Slider
        mt="xs"
        size="sm"
        value={percent}
        onChange={setPercent}
        label={null}
        thumbLabel={`${label}: before on the left, after on the right`}
      />
      {value.caption && <figcaption>{value.caption}</figcaption>}
    </figure>
  );
}

/** Classes that have a switch of their own. */
const mostSwitches = 40;

interface GridProps {
  value: ValueOf<'imageGrid'>;
  run: string;
  classes: readonly string[];
}

export function ImageGridView({ value, run, classes }: GridProps) {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [opacity, setOpacity] = useState(40);
  const marks = value.images.flatMap((image) => image.marks);
  const named = [...new Set(marks.map((mark) => mark.class))].filter((name) => name !== '');
  const order = [...new Set([...classes, ...named])];
  const colors = new Map(order.map((name, index) => [name, colorOf(index)]));
  const look = { colors, hidden, opacity: opacity / 100 };
  return (
    <>
      {marks.length > 0 && (
        <Group gap="md" align="center">
          <Group gap={6}>
            {order
              .filter((name) => named.includes(name))
              .slice(0, mostSwitches)
              .map((name) => (
                <Chip
                  key={name}
                  size="xs"
                  color={colors.get(name) ?? colorOf(0)}
                  variant="outline"
                  checked={!hidden.has(name)}
                  onChange={() => setHidden(toggled(hidden, name))}
                >
                  {name}
                </Chip>
              ))}
          </Group>
          <Slider
            w={120}
            size="xs"
            value={opacity}
            onChange={setOpacity}
            label={(percent) => `${percent} % opacity`}
            thumbLabel="Opacity of marks"
          />
        </Group>
      )}
      <div className="image-grid">
        {value.images.map((image, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an image may be shown twice
          <GridFigure key={index} image={image} run={run} look={look} />
        ))}
      </div>
      <Notes
        notes={[
          value.of === null
            ? `The first ${value.images.length} images are shown`
            : value.of > value.images.length && `${value.images.length} of ${value.of} images are shown`,
        ]}
      />
    </>
  );
}

export interface MarkLook {
  colors: ReadonlyMap<string, string>;
  hidden: ReadonlySet<string>;
  opacity: number;
}

function GridFigure({ image, run, look }: { image: GridImage; run: string; look: MarkLook }) {
  const marks = image.marks.filter((mark) => !look.hidden.has(mark.class));
  const said = marks
    .slice(0, 20)
    .map((mark) => `${mark.class}${mark.score === undefined ? '' : ` ${formatMetric(mark.score)}`}`);
  return (
    <figure className="shown-figure">
      <div className="shown-image">
        <Picture image={image} run={run} alt={[image.caption, said.join(', ')].filter(Boolean).join(': ') || 'image'} />
        {image.file !== null && image.width > 0 && image.height > 0 && (
          <svg viewBox={`0 0 ${image.width} ${image.height}`} preserveAspectRatio="none" aria-hidden>
            {marks.map((mark, index) => (
              <MarkShape
                // biome-ignore lint/suspicious/noArrayIndexKey: marks have no names and never change their order
                key={index}
                mark={mark}
                color={look.colors.get(mark.class) ?? colorOf(0)}
                opacity={look.opacity}
                size={image}
                run={run}
              />
            ))}
          </svg>
        )}
      </div>
      {image.caption && <figcaption>{image.caption}</figcaption>}
    </figure>
  );
}
