import { inject } from 'vitest';
import { describeWriter } from '../flags/writer-suite.ts';

describeWriter('a real Unleash', async () => inject('unleash'));
