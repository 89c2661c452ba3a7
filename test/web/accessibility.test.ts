/** Axe on every page, light and dark, wide and on a phone: no serious violation, and no error in the console. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { makeShapesDataSet } from './shapes-data-set.ts';
import { Stage } from './stage.ts';

const axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const resultSchema = z.array(
  z.object({ id: z.string(), impact: z.string().nullable(), nodes: z.array(z.object({ html: z.string() })) }),
);

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start({ slots: 2 });
  const data = join(stage.dataSets, 'shapes');
  await makeShapesDataSet(data);
  // A finding for its report, with an image that shows it.
  const [unmarked = ''] = await readdir(join(data, 'labels', 'train'));
  await rm(join(data, 'labels', 'train', unmarked));
  await stage.train({ run: 'looked', trainer: 'looker', epochs: 1, data });
  await stage.train({ run: 'done', trainer: 'digits', epochs: 2 });
  await stage.train({ run: 'live', trainer: 'digits', epochs: 900, parameters: { batch_delay_seconds: 0.05 } });
  await stage.ask('/api/runs', { config: { run: 'draft', trainer: 'digits', epochs: 2 }, draft: true });
  const broken = { fail_at: '1:2', fail_kind: 'error', fail_times: 0 };
  await stage.train({ run: 'broken', trainer: 'counter', epochs: 2, parameters: broken, failures: { restarts: 0 } });
  await stage.inDetail('done', 'stopped');
  await stage.inDetail('broken', 'stopped');
  await stage.inDetail('looked', 'stopped');
  await stage.atEpoch('live', 1);
}, 600_000);
afterAll(() => stage?.stop());

async function seriousProblems(page: Page): Promise<string[]> {
  // Through the debugger, which the page's policy does not bind.
  await page.evaluate(axeSource);
  const found = resultSchema.parse(
    await page.evaluate(
      'axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => JSON.parse(JSON.stringify(violations)))',
    ),
  );
  return found
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`);
}

/** With its class balance, and a finding whose image is shown. */
async function openReport(page: Page): Promise<void> {
  const report = page.getByTestId('data-report');
  await report.getByRole('region', { name: 'Objects of each class' }).waitFor();
  await report.getByText('image without labels: 1').click();
  await report.getByRole('img').waitFor();
}

const pages: Record<string, (page: Page) => Promise<unknown>> = {
  '/': (page) => page.locator('[data-run=live] [role=progressbar]').waitFor(),
  '/?state=uploading': (page) => page.getByText('No runs match these filters').waitFor(),
  '/runs/live': (page) => page.locator('.chart').waitFor(),
  '/runs/live?tab=curves': (page) => page.locator('.plot canvas').first().waitFor(),
  '/runs/live?tab=checkpoints': (page) => page.locator('[data-checkpoint]').first().waitFor(),
  '/runs/live?tab=log': (page) => page.getByText('read from').waitFor(),
  '/runs/live?tab=files': (page) => page.getByText('metrics.jsonl').first().waitFor(),
  '/runs/live?tab=configuration': (page) => page.getByLabel('Configuration as YAML').waitFor(),
  '/runs/done': (page) => page.getByTestId('outcome').waitFor(),
  '/runs/done?tab=pages': (page) => page.getByRole('region', { name: /Which digit.*matrix/ }).waitFor(),
  '/runs/done?tab=receipt': (page) => page.getByTestId('receipt').waitFor(),
  '/runs/looked?tab=data': openReport,
  '/runs/draft': (page) => page.getByText('Draft: not started yet').waitFor(),
  '/runs/nowhere': (page) => page.getByText('There is no run nowhere').waitFor(),
  '/compare?runs=done,live': (page) => page.locator('.plot canvas').first().waitFor(),
  '/hosts': (page) => page.locator('[data-kept]').first().waitFor(),
  '/new': async (page) => {
    await page.getByRole('radio', { name: /shapes/ }).click();
    await page.locator('.marked-image').first().waitFor();
  },
  '/new?from=done': (page) => page.locator('[data-check=fine]').waitFor(),
  '/new?from=looked': openReport,
  '/no-such-page': (page) => page.getByText('Page not found').waitFor(),
};

/** Badges and messages whose text does not fit. */
const cutTexts = `[...document.querySelectorAll('.mantine-Badge-label, .mantine-Alert-message')]
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.textContent.slice(0, 60))`;

const looks = {
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 } },
} as const;

it.each(Object.entries(looks))(
  'has no serious problem on any page: %s',
  async (_, look) => {
    const page = await stage.page(look);
    const problems: Record<string, string[]> = {};
    const check = async (name: string) => {
      const found = await seriousProblems(page);
      if (found.length > 0) problems[name] = found;
    };
    const checkTexts = async (name: string) => {
      const given = page.viewportSize() ?? { width: 1280, height: 900 };
      for (const width of new Set([given.width, Math.min(given.width, 1024)])) {
        await page.setViewportSize({ ...given, width });
        const cut = z.array(z.string()).parse(await page.evaluate(cutTexts));
        if (cut.length > 0) problems[`${name} cut at ${width}`] = cut;
      }
      await page.setViewportSize(given);
    };
    for (const [path, ready] of Object.entries(pages)) {
      await page.goto(path);
      await ready(page);
      await check(path);
      // Nothing reaches beyond a phone's width but what scrolls by itself.
      const overflow = z.number().parse(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
      if (overflow > 0) problems[`${path} width`] = [`${overflow} px too wide`];
      await checkTexts(path);
    }
    await page.goto('/runs/broken');
    await page.getByTestId('outcome').waitFor();
    await checkTexts('/runs/broken');
    await page.goto('/new?from=done');
    for (const name of [/Trainer/, /Parameters/, /Checkpoints & recovery/, /Destination/]) {
      await page.locator('.wizard-steps').getByRole('button').filter({ hasText: name }).click({ force: true });
      await page.waitForTimeout(500);
      await check(`/new ${name}`);
    }
    await page.goto('/runs/live');
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('dialog').waitFor();
    await page.waitForTimeout(500);
    await check('stop dialog');
    expect(problems).toEqual({});
    const own = stage.consoleErrors.splice(0).filter((line) => !line.includes('/runs/nowhere'));
    expect(own).toEqual([]);
  },
  1_200_000,
);
