"""The bench's work, done by Locust: POST small JSON, check that the status is 200, begin again."""

from locust import FastHttpUser, task


class Coupons(FastHttpUser):
    @task
    def issue(self):
        with self.client.post("/coupons", json={"userId": 1, "couponId": 3}, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"the status is {response.status_code}")
