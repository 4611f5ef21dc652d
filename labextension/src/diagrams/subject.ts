/**
 * What one diagram on the page is made of. Types only; used by `view.ts` and `kit.ts`.
 */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { ICodeActions } from '../chat/workbench';
import type { Drawings } from './drawings';
import type { DiagramKind, DiagramTheme } from './nouns';
import type { PageTheme } from './page_theme';
import type { KeptPicture } from './pictures';
import type { Repairs } from './repairs';

/** The elements that a diagram takes over. */
export interface DiagramParts {
  readonly node: HTMLElement;
  readonly head: HTMLElement;
  /** Shows the source in its only `code`. */
  readonly pre: HTMLElement;
}

/** Who repairs a source that does not parse. */
export interface RepairPolicy {
  /** '' is the default model. */
  readonly model: () => string;
  /** Whether it begins without a click. */
  readonly isAutomatic: () => boolean;
}

export interface DiagramSubject {
  readonly kind: DiagramKind;
  readonly source: string;
  /** Shown until the server has drawn another one, and where it cannot. */
  readonly kept: KeptPicture | null;
  /** `null`: the page's. */
  readonly theme: DiagramTheme | null;
  readonly repair: RepairPolicy | null;
}

export interface DiagramServices {
  readonly drawings: Drawings;
  readonly repairs: Repairs;
  readonly theme: PageTheme;
  readonly codeActions: ICodeActions;
  /** Calls back once when the element is seen. */
  readonly whenNear: (node: Element, onNear: () => void) => void;
  readonly trans: TranslationBundle;
}
