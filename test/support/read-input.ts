// Reads an input of `healthdns shadow` as it may arrive.
import type { Question } from '../../src/shadow/answers/question.ts';
import { readQuestions } from '../../src/shadow/questions/input.ts';
import { createNotes, type Notes } from '../../src/shadow/questions/notes.ts';

/** In pieces of `pieceBytes`, as a stream may come. */
export async function readInput(
  input: Buffer,
  pieceBytes = 61,
): Promise<{ questions: Question[]; names: string[]; notes: Notes; skipped: Record<string, number> }> {
  async function* pieces() {
    for (let at = 0; at < input.length; at += pieceBytes) yield input.subarray(at, at + pieceBytes);
  }
  const notes = createNotes();
  const questions: Question[] = [];
  for await (const question of readQuestions(pieces(), 53, notes)) questions.push(question);
  const skipped = Object.fromEntries([...notes.skipped].map(([reason, { count }]) => [reason, count]));
  return { questions, names: questions.map(({ name }) => name), notes, skipped };
}
