/** Messages of Slack's and of Microsoft Teams' incoming webhooks. What trainers and people wrote is text in them: it calls nobody, and links nowhere. */
import type { Notice } from './notice.ts';

/** `text` is what notifications on phones show. https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
export function slackMessage({ title, lines, link }: Notice): string {
  const block = (text: string) => ({ type: 'section', text: { type: 'plain_text', text, emoji: false } });
  const opened = link === null ? [] : [{ type: 'section', text: { type: 'mrkdwn', text: `<${link}|Open the run>` } }];
  return JSON.stringify({
    text: escaped(title),
    blocks: [block(title), block(lines.join('\n').slice(0, 3000)), ...opened],
  });
}

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** An Adaptive Card, whose runs of text are no Markdown. https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors */
export function teamsMessage({ title, lines, link }: Notice): string {
  const block = (text: string, style: object) => ({
    type: 'RichTextBlock',
    inlines: [{ type: 'TextRun', text, ...style }],
  });
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [block(title, { weight: 'Bolder', size: 'Medium' }), ...lines.map((line) => block(line, {}))],
    ...(link === null ? {} : { actions: [{ type: 'Action.OpenUrl', title: 'Open the run', url: link }] }),
  };
  const contentType = 'application/vnd.microsoft.card.adaptive';
  return JSON.stringify({ type: 'message', attachments: [{ contentType, contentUrl: null, content }] });
}
