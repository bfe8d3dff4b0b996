import type { Response } from 'express';
import { exportFlags } from '../change/export.ts';
import { type ImportReport, importFlags, reviewImport } from '../change/import.ts';
import { type ImportRequest, parseExport, parseImport } from '../parse/transfer.ts';
import { Problem } from '../problem.ts';
import type { Actor } from '../store.ts';
import { bodyOf } from '../validate.ts';
import { type Admin, jsonOf } from './routes.ts';

/** Flags of one environment out of a server, and into another one. */
export function addTransfer(
  { at, store, rules, change }: Admin,
  actorOf: (response: Response) => Actor,
): void {
  at.post('/features-batch/export', (request, response) => {
    const wanted = parseExport(bodyOf(jsonOf(request)));
    const { name, userId } = actorOf(response);
    const reader = { id: userId, username: name, ip: request.socket.remoteAddress ?? '' };
    response.json(change(response, (changes) => exportFlags(changes, wanted, reader)));
  });
  at.post('/features-batch/validate', (request, response) => {
    const wanted = parseImport(bodyOf(jsonOf(request)));
    const report = reviewImport(store, wanted);
    response.json(report.errors.length > 0 ? report : { ...report, errors: rehearsed(response, wanted) });
  });
  at.post('/features-batch/import', (request, response) => {
    const wanted = parseImport(bodyOf(jsonOf(request)));
    change(response, (changes) => importFlags(changes, wanted, rules));
    response.status(200).end();
  });

  /** What an import would be refused for, found by trying it and taking it back. */
  function rehearsed(response: Response, wanted: ImportRequest): ImportReport['errors'] {
    try {
      change(response, (changes) => {
        importFlags(changes, wanted, rules);
        throw new TakenBack();
      });
      return [];
    } catch (error) {
      if (error instanceof TakenBack) return [];
      if (!(error instanceof Problem)) throw error;
      return [{ message: error.message, affectedItems: error.body.details.map(({ message }) => message) }];
    }
  }
}

/** Rolls a transaction back that could have been made. */
class TakenBack extends Error {}
