import express, { type RequestHandler } from 'express';

export const BODY_BYTES_MAX = 100 * 1024;
/** A whole project in one request. */
export const IMPORT_BYTES_MAX = 8 * 1024 * 1024;
/** An application reports every flag that it asked for, and every variant. */
export const METRICS_BYTES_MAX = 1024 * 1024;

/** Reads a JSON body, once; stands behind the check of the token, so that nobody else's body is read. */
export function jsonBody(bytesMax: number): RequestHandler {
  return express.json({ limit: bytesMax, type: ['application/json', 'application/*+json'] });
}

/** The 4xx status that a body parser or router gave an error; null for a fault of ours. */
export function clientFault(error: unknown): number | null {
  if (typeof error !== 'object' || error === null || !('status' in error)) return null;
  const { status } = error;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : null;
}
