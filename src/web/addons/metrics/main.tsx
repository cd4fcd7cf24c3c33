import '../shared/styles.ts';
import 'uplot/dist/uPlot.min.css';
import './metrics.css';
import { render } from 'preact';
import { loadTheme } from '../../theme.ts';
import { MetricsPage } from './metrics-page.tsx';
import { MetricsState } from './metrics-state.ts';

const state = new MetricsState();
state.start();
render(<MetricsPage state={state} theme={loadTheme()} />, document.getElementById('page') ?? document.body);
