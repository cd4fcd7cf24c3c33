import './style/tokens.css';
import './style/page.css';
import './style/toolbar.css';
import './style/histogram.css';
import './style/line-list.css';
import './style/line-details.css';
import './style/panel.css';
import './style/overlay.css';
import { render } from 'preact';
import { PageState } from './page-state.ts';
import { Root } from './view/root.tsx';

const page = new PageState();
page.start();
render(<Root page={page} />, document.getElementById('page') ?? document.body);
