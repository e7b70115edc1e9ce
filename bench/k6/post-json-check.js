// The bench's work, done by k6: POST small JSON, check that the status is 200, begin again.
import http from 'k6/http';
import { check } from 'k6';

const url = __ENV.BASE_URL;
const body = JSON.stringify({ userId: 1, couponId: 3 });
const params = { headers: { 'Content-Type': 'application/json' } };

export const options = { summaryTrendStats: ['avg', 'min', 'med', 'max', 'p(50)', 'p(95)', 'p(99)'] };

export default function () {
  check(http.post(url, body, params), { 'status is 200': (r) => r.status === 200 });
}
