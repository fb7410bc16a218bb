// Wording that the views share, and a one-line summary of the problems: window title, heading of the overview.
import { cleanText } from './clean.ts';
import type { Live, Model, View } from './model.ts';

export const titleOf = ({ view, live }: Pick<Model, 'view' | 'live'>): string =>
  cleanText(`${subject(view, live)} · healthdns`);

function subject(view: View, live: Live): string {
  switch (view.page) {
    case 'overview':
      return headline(live);
    case 'services':
      return 'Services';
    case 'explain':
      return short(view.explanation.name);
    case 'error':
      return view.title;
  }
}

export function headline({ problems }: Pick<Live, 'problems'>): string {
  const wrong = problems.reduce((sum, { items, more }) => sum + items.length + more, 0);
  return wrong > 0 ? plural(wrong, 'problem') : 'All services are answered';
}

export const count = (number: number): string => number.toLocaleString('en-US');
export const plural = (number: number, noun: string): string => `${count(number)} ${noun}${number === 1 ? '' : 's'}`;

/** Without the final dot. */
export const short = (name: string): string => name.replace(/(?<=.)\.$/, '');
