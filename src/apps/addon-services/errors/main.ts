import { runService } from '../runtime/run-service.ts';
import { startErrorsService } from './errors-service.ts';

void runService(startErrorsService);
