"""The Keras model around a victim whose `fit` trains the victim's own layers."""

import keras


class VictimTrainer(keras.Model):
    """Trains a victim by a step of its own, and is the victim in all other respects.

    Callbacks, evaluation, metrics and `stop_training` are those of the victim. Subclasses call
    `watch` at the end of their construction and define `train_step`.
    """

    def watch(self, victim, metrics):
        """Says whom this trains.

        Args:
            victim: the classifier, a built and compiled Keras model.
            metrics: Keras metrics that training reports beside those of the victim.
        """
        self.victim = victim
        self.own_metrics = metrics
        self.built = True

    def call(self, x, training=None):
        return self.victim(x, training=training)

    def test_step(self, data):
        return self.victim.test_step(data)

    @property
    def metrics(self):
        # The victim's, too: its own test step uses them, and Keras resets what is listed here.
        return list(self.own_metrics) + self.victim.metrics

    def get_metrics_result(self):
        return {
            **self.victim.get_metrics_result(),
            **{metric.name: metric.result() for metric in self.own_metrics},
        }

    # Callbacks hold the victim, and so that is where they look for these.
    @property
    def stop_training(self):
        victim = getattr(self, "victim", None)
        return victim is not None and victim.stop_training

    @stop_training.setter
    def stop_training(self, value):
        if getattr(self, "victim", None) is not None:
            self.victim.stop_training = value

    @property
    def history(self):
        return self.victim.history
