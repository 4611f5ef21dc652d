/**
 * The menu of one picture: copy and save it as SVG or PNG.
 *
 * Files are saved through a link of this page that holds all of the content; nothing is opened.
 */

import { MenuSvg } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

import { bytesOf, pngUrl, svgUrl } from './data_url';
import type { Drawing } from './nouns';

export interface PictureMenuOptions {
  readonly button: HTMLElement;
  readonly trans: TranslationBundle;
  /** @throws Error with a sentence for the user. */
  readonly drawing: () => Promise<Drawing>;
  /** Tells what was done, or why it was not. */
  readonly say: (text: string, isDone: boolean) => void;
}

type Entry = readonly [id: string, label: string, done: string, act: (drawing: Drawing) => unknown];

function save(url: string | null, name: string): void {
  const link = document.createElement('a');
  link.href = url ?? '';
  link.download = name;
  link.click();
}

function entries(trans: TranslationBundle): readonly Entry[] {
  return [
    [
      'copy-svg',
      trans.__('Copy SVG'),
      trans.__('SVG copied.'),
      ({ svg }) => navigator.clipboard.writeText(svg)
    ],
    [
      'copy-png',
      trans.__('Copy PNG'),
      trans.__('PNG copied.'),
      ({ png }) => {
        const blob = new Blob([bytesOf(png)], { type: 'image/png' });
        return navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
      }
    ],
    [
      'save-svg',
      trans.__('Save SVG'),
      trans.__('SVG saved.'),
      ({ svg }) => {
        save(svgUrl(svg), 'diagram.svg');
      }
    ],
    [
      'save-png',
      trans.__('Save PNG'),
      trans.__('PNG saved.'),
      ({ png }) => {
        save(pngUrl(png), 'diagram.png');
      }
    ]
  ];
}

/** Open the menu below its button; the focus goes back there. */
export function openPictureMenu(options: PictureMenuOptions): void {
  const { button, trans, drawing, say } = options;
  const commands = new CommandRegistry();
  const menu = new MenuSvg({ commands });
  menu.addClass('jp-LocalLLMDiagram-menu');
  for (const [command, label, done, act] of entries(trans)) {
    commands.addCommand(command, {
      label,
      dataset: { action: command },
      execute: async () => {
        try {
          await act(await drawing());
          say(done, true);
        } catch (error) {
          const reason = error instanceof Error ? error.message : '';
          say(reason === '' ? trans.__('That did not work.') : reason, false);
        }
      }
    });
    menu.addItem({ command });
  }
  menu.aboutToClose.connect(() => {
    button.focus();
    // It closes itself first.
    window.setTimeout(() => {
      menu.dispose();
    });
  });
  const { left, bottom } = button.getBoundingClientRect();
  menu.open(left, bottom);
}
