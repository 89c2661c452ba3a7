import { Group, SegmentedControl, Slider, Switch, Text } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import type { CurveX } from './batch-columns.ts';

export interface CurveLook {
  x: CurveX;
  isLog: boolean;
  /** 0 to 0.99. */
  smoothing: number;
}

/** The reader's choice, kept in this browser. */
export function useCurveLook() {
  return useLocalStorage<CurveLook>({
    key: 'epochal-curves',
    defaultValue: { x: 'epochs', isLog: false, smoothing: 0 },
    getInitialValueInEffect: false,
  });
}

export function CurveControls({ look, onChange }: { look: CurveLook; onChange: (look: CurveLook) => void }) {
  return (
    <Group gap="lg" role="group" aria-label="How curves are drawn">
      <SegmentedControl
        size="xs"
        aria-label="Horizontal axis"
        data={[
          { value: 'epochs', label: 'Epochs' },
          { value: 'steps', label: 'Steps' },
          { value: 'time', label: 'Time' },
        ]}
        value={look.x}
        onChange={(x) => onChange({ ...look, x: x as CurveLook['x'] })}
      />
      <Switch
        size="sm"
        label="Log scale"
        checked={look.isLog}
        onChange={(event) => onChange({ ...look, isLog: event.currentTarget.checked })}
      />
      <Group gap="xs" wrap="nowrap">
        <Text size="sm">Smoothing</Text>
        <Slider
          w={120}
          min={0}
          max={0.99}
          step={0.01}
          label={(value) => value.toFixed(2)}
          value={look.smoothing}
          onChange={(smoothing) => onChange({ ...look, smoothing })}
          thumbLabel="Smoothing"
        />
      </Group>
      <Text size="xs" c="dimmed" className="hide-on-phone">
        Drag over a curve to zoom in; double-click to reset.
      </Text>
    </Group>
  );
}
