import '../addons/shared/styles.ts';
import '../style/histogram.css';
import '../style/line-list.css';
import '../style/line-details.css';
import '../style/panel.css';
import './style/viewer.css';
import './style/fields.css';
import './style/settings.css';
import { render } from 'preact';
import { ViewerPage } from './viewer-page.ts';
import { ViewerRoot } from './viewer-root.tsx';

const page = new ViewerPage();
page.start();
render(<ViewerRoot page={page} />, document.getElementById('page') ?? document.body);
