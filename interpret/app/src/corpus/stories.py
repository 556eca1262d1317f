#!/usr/bin/env python3
"""Writes the corpus that comes with the application: short children's stories, made of this script's own sentences.

  python3 interpret/app/src/corpus/stories.py > interpret/app/src/main/resources/org/lmdebugger/corpora/stories.txt

The same seed gives the same bytes. Stories are separated by <|endoftext|>.
"""
import random, re

STORIES, SEED = 700, 20

GIRLS = "Lily Sara Emma Anna Mia Lucy Molly Rose Ella Jane Ivy Nora".split()
BOYS = "Tom Ben Tim Max Jack Sam Leo Peter Finn Jim Oscar Henry".split()
ANIMALS = "dog cat rabbit bear fox bird mouse duck frog pig horse owl squirrel goat lamb hedgehog".split()
SOUNDS = {"dog": "Woof", "cat": "Meow", "bird": "Tweet", "duck": "Quack", "frog": "Croak", "pig": "Oink", "owl": "Hoo", "lamb": "Baa", "goat": "Baa"}
COLOURS = "red blue green yellow white black brown pink golden silver".split()
TOYS = ["ball", "kite", "doll", "toy car", "toy boat", "drum", "book", "box of crayons", "teddy bear", "puzzle", "hat", "scarf", "key", "coin", "bell", "lantern"]
FOODS = ["an apple", "a cake", "some bread", "a bowl of soup", "some honey", "a cookie", "some milk", "a pear", "some jam", "three eggs", "a big pie", "some cheese"]
PLACES = ["the park", "the forest", "the river", "the beach", "the hill", "the farm", "the garden", "the market", "the old mill", "the school", "the lake", "the village"]
ROOMS = ["the kitchen", "the attic", "her room", "the barn", "the hall", "the cellar"]
WEATHER = ["It was a sunny day.", "It was a cold morning.", "The wind was blowing hard.", "It had rained all night, and the grass was wet.", "Snow lay on the ground.", "The sky was grey and full of clouds.", "The sun was warm, and the birds were singing.", "It was a quiet evening in autumn."]
FAMILY = ["mother", "father", "grandmother", "grandfather", "brother", "sister", "uncle", "aunt"]
FEELINGS_BAD = ["sad", "scared", "angry", "tired", "lonely", "worried", "cold", "hungry"]
FEELINGS_GOOD = ["happy", "proud", "glad", "excited", "thankful", "calm"]
ADJECTIVES = ["big", "little", "old", "shiny", "soft", "heavy", "round", "strange", "beautiful", "broken", "new", "tiny"]
NUMBERS = ["two", "three", "four", "five", "six", "seven", "ten"]
ENDINGS = ["From that day on, {they} were the best of friends.", "And they all lived happily ever after.", "{Name} went to bed with a smile.", "{Name} never forgot that day.", "\"That was the best day of all,\" said {Name}.", "After that, {Name} always remembered to be kind.", "The end.", "And if you go to {place}, you may still see them there.", "That night {Name} dreamed of {place}.", "{Name} had learned that {lesson}."]
LESSONS = ["it is good to share", "it is better to tell the truth", "small friends can give great help", "you should never give up", "it is fine to be afraid", "one must look before one leaps", "a kind word costs nothing", "slow and steady work is good work"]
OPENINGS = ["Once upon a time, there was a {adj} {kind} named {Name}.", "One day, a {kind} named {Name} went to {place}.", "{Name} was a {adj} {kind} who lived near {place}.", "Long ago, in a small house by {place}, there lived a {kind} called {Name}.", "There was once a {kind} named {Name}, who loved to play.", "Every morning {Name}, a {adj} {kind}, walked to {place}."]


class Story:
    def __init__(self, r):
        self.r = r
        who = r.random()
        if who < 0.36:
            self.kind, self.name, self.he, self.him, self.his = "girl", r.choice(GIRLS), "she", "her", "her"
        elif who < 0.72:
            self.kind, self.name, self.he, self.him, self.his = "boy", r.choice(BOYS), "he", "him", "his"
        else:
            self.kind, self.name, self.he, self.him, self.his = r.choice(ANIMALS), r.choice(GIRLS + BOYS), "it", "it", "its"
        self.place, self.other_place = r.sample(PLACES, 2)
        self.animal = r.choice([a for a in ANIMALS if a != self.kind])
        self.toy, self.food, self.colour, self.family = r.choice(TOYS), r.choice(FOODS), r.choice(COLOURS), r.choice(FAMILY)
        self.adj, self.adj2 = r.sample(ADJECTIVES, 2)
        self.bad, self.good, self.number, self.lesson = r.choice(FEELINGS_BAD), r.choice(FEELINGS_GOOD), r.choice(NUMBERS), r.choice(LESSONS)
        self.friend = r.choice([n for n in GIRLS + BOYS if n != self.name])
        self.sound = SOUNDS.get(self.animal, "Hello")

    def fill(self, text):
        words = {"Name": self.name, "kind": self.kind, "place": self.place, "other": self.other_place, "animal": self.animal, "toy": self.toy,
                 "food": self.food, "colour": self.colour, "family": self.family, "adj": self.adj, "adj2": self.adj2, "bad": self.bad,
                 "good": self.good, "number": self.number, "lesson": self.lesson, "friend": self.friend, "he": self.he, "He": self.he.capitalize(),
                 "him": self.him, "his": self.his, "His": self.his.capitalize(), "they": f"{self.name} and {self.friend}", "sound": self.sound}
        return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text.format(**words))

    def say(self, *choices):
        return self.fill(self.r.choice(choices))

    def maybe(self, share, *choices):
        return [self.say(*choices)] if self.r.random() < share else []

    def paragraphs(self):
        start = [self.say(*OPENINGS)] + self.maybe(0.5, *WEATHER) + self.maybe(0.6,
            "{He} had a {colour} {toy} and took it everywhere.", "{He} liked {food} more than anything.", "{His} {family} was very kind.",
            "{He} had {number} friends, but the best of them was {friend}.", "{He} was not big, but {he} was very brave.",
            "In the evening {his} {family} told {him} stories about kings and queens.")
        plot = self.r.choice([self.lost, self.friendship, self.king, self.storm, self.cooking, self.garden, self.rescue, self.boat, self.sharing, self.night, self.school, self.race, self.secret, self.shop])
        middle = plot()
        end = [self.say(*ENDINGS)]
        return [start, *middle, end]

    def lost(self):
        return [[self.say("One afternoon {Name} could not find the {colour} {toy}.", "But one day the {toy} was gone!", "When {Name} came back from {place}, the {toy} was not there."),
                 self.say("{He} looked under the bed, behind the door and in the box, but it was not there.", "{He} looked high and low. {He} looked in the grass and under the stones.", "\"Where is my {toy}?\" {he} cried."),
                 self.say("{Name} was very {bad}.", "{He} sat down and began to cry.", "{He} felt {bad} and did not want to eat.")],
                [self.say("Then a {animal} came by. \"{sound}! Why are you so {bad}?\" asked the {animal}.", "{His} {family} said, \"Do not worry. We will look for it together.\"", "{friend} heard {him} and came to help."),
                 self.say("They walked to {place} and asked everybody they met.", "They went back the way {Name} had come, step by step.", "They looked for {number} hours, until it was nearly dark."),
                 self.say("And there it was, under a {adj} tree!", "At last they saw something {colour} in the water. It was the {toy}!", "The {toy} was in {his} own pocket all the time! They laughed and laughed."),
                 self.say("{Name} was so {good} that {he} jumped up and down.", "\"Thank you!\" said {Name}. \"You are a true friend.\"", "{Name} hugged the {toy} and ran home.")]]

    def friendship(self):
        return [[self.say("At {place} {he} saw a {adj2} {animal}.", "There {he} met a {animal} that was all alone.", "Behind a tree stood a {colour} {animal}, and it looked {bad}."),
                 self.say("\"Hello,\" said {Name}. \"Do you want to play with me?\"", "{Name} was a little afraid at first, but the {animal} had kind eyes.", "\"{sound}!\" said the {animal}."),
                 self.say("The {animal} shook its head. \"Nobody plays with me,\" it said.", "\"I would like that very much,\" said the {animal}.", "The {animal} did not answer, but it came a little nearer.")],
                [self.say("So {Name} gave the {animal} {food}.", "{Name} showed the {animal} the {toy}, and they threw it up and down.", "They played hide and seek until the sun went down."),
                 self.say("They ran and jumped and sang.", "The {animal} could run very fast, and {Name} could climb very high.", "Soon they were not {bad} any more."),
                 self.say("\"Will you come again tomorrow?\" asked the {animal}. \"Yes,\" said {Name}. \"I will come every day.\"", "{His} {family} said that the {animal} could stay with them.", "When it was time to go home, they said goodbye.")]]

    def king(self):
        ruler, him, his = self.r.choice([("king", "him", "his"), ("queen", "her", "her"), ("prince", "him", "his"), ("princess", "her", "her")])
        return [[f"In that country there was a {ruler} who had everything but a friend.", self.say(f"The {ruler} lived in a castle of {{number}} towers.", f"The {ruler} wore a crown of gold and a {{colour}} coat."),
                 self.say(f"One day the {ruler} said, \"Whoever makes me laugh shall have a bag of gold.\"", f"But the {ruler} was {{bad}}, and nobody knew why.", f"The {ruler} sent {{number}} men to find the {{adj2}} {{toy}} that had been lost.")],
                [self.say("{Name} heard of it and went to the castle.", "{Name} was not afraid and knocked at the great door.", "{Name} took the {toy} and set out for the castle."),
                 self.say(f"\"Who are you?\" asked the {ruler}. \"I am {{Name}},\" {{he}} said, \"and I have brought you {{food}}.\"", f"The guards laughed, but the {ruler} said, \"Let {{him}} come in.\""),
                 self.say(f"{{Name}} told a story of a {{animal}} that wanted to fly, and the {ruler} laughed until the crown fell down.", f"{{Name}} sat down beside the {ruler} and they played with the {{toy}} all day.", f"\"What you need is not gold,\" said {{Name}}. \"What you need is a friend.\""),
                 self.say(f"The {ruler} gave {{him}} a {{colour}} horse, and {{Name}} rode home.", f"\"You are right,\" said the {ruler}, and thanked {{him}} with all {his} heart.", f"From then on the {ruler} was never {{bad}} again, and all the people loved {him}.")]]

    def storm(self):
        return [[self.say("On the way to {place} the sky grew dark.", "Suddenly there was a loud noise. It was thunder!", "Then it began to rain, and it rained harder and harder."),
                 self.say("{Name} ran as fast as {he} could.", "{Name} was {bad} and wanted to go home.", "The wind took {his} hat and blew it away."),
                 self.say("\"Come in here!\" called a small voice.", "There was a light between the trees.", "{He} hid under a {adj} rock.")],
                [self.say("It was a {animal}, who lived there in a warm hole.", "It was the house of an old woman, and she opened the door.", "{friend} was there, too, wet from head to foot."),
                 self.say("They sat by the fire and ate {food}.", "They told each other stories and waited.", "\"Are you afraid?\" asked {friend}. \"A little,\" said {Name}. \"But not when you are with me.\""),
                 self.say("After {number} hours the rain stopped, and a rainbow stood over {other}.", "In the morning the sun came out, and everything was bright.", "When the storm was over, {his} {family} came and took {him} home.")]]

    def cooking(self):
        return [[self.say("{His} {family} said, \"Today we will make a cake.\"", "{Name} wanted to make {food} for {his} {family}.", "It was the birthday of {friend}, and {Name} wanted to bake a pie."),
                 self.say("They needed flour, milk, sugar and {number} eggs.", "But there was no sugar in the house.", "{He} put on a {colour} apron and washed {his} hands."),
                 self.say("{Name} stirred and stirred until {he} was tired.", "Oh no! {He} dropped the eggs on the floor.", "Some of the flour fell on the {animal}, and it was white all over.")],
                [self.say("\"Do not be {bad},\" said {his} {family}. \"We can try again.\"", "Everybody laughed, and then they cleaned it up.", "So {he} went to the market and bought more."),
                 self.say("Soon the whole house smelled sweet.", "They put it into the oven and waited.", "The cake was hot and round and brown."),
                 self.say("{friend} ate {number} pieces and said it was the best cake in the world.", "They shared it with all the people of the street.", "There was one piece left, and {Name} gave it to the {animal}.")]]

    def garden(self):
        plant = self.r.choice(["flower", "tree", "pumpkin", "carrot", "rose bush", "bean"])
        return [[self.say(f"{{Name}} found a {{adj2}} seed at {{place}}.", f"{{His}} {{family}} gave {{him}} a seed and said, \"This will be a {plant}.\"", f"In spring {{Name}} planted a {plant} behind the house."),
                 self.say("Every day {he} gave it water.", "{He} waited and waited, but nothing came up.", "{He} made a little hole, put it in, and covered it with earth."),
                 self.say("\"Why does it not grow?\" {he} asked. \"It needs time,\" said {his} {family}.", "{He} was {bad} and nearly gave up.", "A {animal} wanted to dig it out, but {Name} said, \"No! Please leave it there.\"")],
                [self.say("One morning there was a small green leaf.", "After {number} weeks something green looked out of the earth.", "Then the rain came, and the sun came, and it began to grow."),
                 self.say(f"The {plant} grew taller than the house!", f"It became the most beautiful {plant} in the village.", f"On the {plant} sat a {{colour}} bird and sang."),
                 self.say("{Name} was {good} and showed it to everyone.", "\"You see,\" said {his} {family}, \"good things take time.\"", "The bees came to it, and the butterflies, too.")]]

    def rescue(self):
        return [[self.say("As {Name} walked along, {he} heard somebody cry for help.", "\"Help! Help!\" cried a voice from {other}.", "Near {place} a {animal} had fallen into a deep hole."),
                 self.say("It was a {adj2} {animal}, and its foot was caught.", "The {animal} could not get out and was very {bad}.", "\"Please help me,\" said the {animal}. \"I cannot swim.\""),
                 self.say("{Name} thought for a moment.", "{Name} was not strong enough alone.", "What could {he} do?")],
                [self.say("{He} took a long rope and threw it down.", "{He} called {friend}, and together they pulled.", "{He} found a big branch and held it out."),
                 self.say("They pulled once, they pulled twice, and at the third time the {animal} was free.", "Slowly, slowly the {animal} climbed up.", "It was hard work, but {he} did not stop."),
                 self.say("\"You saved me,\" said the {animal}. \"One day I will help you, too.\"", "The {animal} thanked {him} and gave {him} a {colour} stone.", "{His} {family} was so proud of {him}.")],
                self.maybe(0.5, "And so it was. When {Name} was lost in the forest, the {animal} came and showed {him} the way home.",
                           "Some days later the {animal} came to {his} house and brought {food}.") or [self.say("Then they went home together.")]]

    def boat(self):
        return [[self.say("{Name} and {friend} built a boat of wood.", "On the river lay a {adj2} boat, and nobody was in it.", "{His} {family} had a {colour} boat with a white sail."),
                 self.say("They wanted to sail to the island in the middle of the lake.", "\"Let us see where the river goes,\" said {friend}.", "They took {food} with them, and the {animal} came, too."),
                 self.say("The water was blue, and fish swam below them.", "The wind was good, and the boat went fast.", "At first everything went well.")],
                [self.say("But then the boat hit a rock, and water came in.", "Suddenly a big wave came and made them wet.", "After a while they could not see the land any more."),
                 self.say("\"What shall we do?\" asked {friend}. {Name} took the {toy} and threw the water out.", "{Name} was {bad}, but {he} held on.", "A {adj} fish looked out of the water and said, \"Follow me!\""),
                 self.say("At last they came to the beach and lay down in the warm sand.", "They found a treasure there: {number} gold coins and a {colour} {toy}.", "A fisherman saw them and brought them home.")]]

    def sharing(self):
        return [[self.say("{Name} had a new {toy}. It was {colour} and {adj2}.", "For {his} birthday {Name} got a {colour} {toy}.", "{His} {family} bought {him} a {toy} at the market."),
                 self.say("\"May I play with it?\" asked {friend}.", "{friend} wanted to have it, too.", "{friend} had no {toy} and looked at it all day."),
                 self.say("\"No! It is mine!\" said {Name}.", "{Name} did not want to share and ran away.", "{Name} hid it in {his} bag.")],
                [self.say("But it was no fun to play alone.", "After a while {Name} was {bad}, because nobody played with {him}.", "{His} {family} saw it and said, \"A {toy} is more fun with a friend.\""),
                 self.say("{Name} went to {friend} and said, \"I am sorry. Let us play together.\"", "So {he} gave the {toy} to {friend}. \"You can have it until the evening,\" {he} said."),
                 self.say("{friend} smiled and shared {food} with {him}.", "They played all day and were very {good}.", "Now they have two friends and one {toy}, and that is enough.")]]

    def night(self):
        return [[self.say("It was night, and {Name} could not sleep.", "When the moon came up, {Name} heard a strange sound.", "The stars were bright, and everyone was asleep but {Name}."),
                 self.say("There was a shadow on the wall. It was {adj2} and black.", "\"Who is there?\" {he} asked, but nobody answered.", "Something moved under the bed."),
                 self.say("{He} was {bad} and pulled the blanket over {his} head.", "{His} heart went bump, bump, bump.", "{He} took the {toy} in {his} arm.")],
                [self.say("Then {he} took a light and looked.", "{He} counted to {number} and opened {his} eyes.", "{His} {family} came in with a candle."),
                 self.say("It was only a {animal}!", "It was only the wind in the tree before the window.", "A small {animal} sat there and was more afraid than {he} was."),
                 self.say("\"You do not need to be afraid of the dark,\" said {his} {family}.", "\"Good night, moon,\" said {Name}. \"Good night, stars.\"", "They looked at the moon together until they fell asleep.")]]

    def school(self):
        return [[self.say("It was {Name}'s first day at school.", "At school the teacher asked, \"Who can read this word?\"", "{Name} did not like to go to school."),
                 self.say("There were so many children, and {he} knew nobody.", "{Name} did not know the answer, and the others laughed.", "{He} could not write {his} name, and that made {him} {bad}."),
                 self.say("In the break {he} stood alone by the wall.", "{He} looked at {his} feet and said nothing.", "\"I will never learn it,\" {he} said.")],
                [self.say("Then {friend} came and sat beside {him}.", "The teacher was kind and said, \"Let us try it once more.\"", "\"I could not do it at first, either,\" said {friend}."),
                 self.say("They read a book about a {animal} that went to the sea.", "They counted apples: one, two, three, four, five.", "They drew a {colour} {animal} with {number} legs and laughed."),
                 self.say("Soon {Name} could read the whole page.", "The next day {he} was the first to raise {his} hand.", "Now {Name} likes school very much.")]]

    def race(self):
        return [[self.say("The {animal} said, \"I am the fastest of all.\"", "Every year there was a race from {place} to {other}.", "{friend} and {Name} wanted to know who was faster."),
                 self.say("\"Let us have a race,\" said {Name}.", "All the animals came to see it.", "One, two, three, go! And off they ran."),
                 self.say("The {animal} was soon far ahead.", "{Name} fell down and hurt {his} knee.", "At first {Name} was the last.")],
                [self.say("But {he} stood up and went on.", "The {animal} stopped to eat {food} and fell asleep.", "{Name} did not look back. {He} ran and ran."),
                 self.say("In the end {Name} won, and all the people cheered.", "They came to the tree at the same time.", "{Name} did not win, but {he} was {good}, because {he} had not given up."),
                 self.say("\"Well done!\" said {his} {family}.", "The {animal} gave {him} its hand. \"Next time I will be more careful,\" it said.", "The prize was {food}, and they shared it.")]]

    def secret(self):
        return [[self.say("In the attic {Name} found a {adj2} box.", "Behind the old wall there was a {colour} door.", "One day {Name} found a {adj2} key in the grass."),
                 self.say("What was in it? {He} wanted to know.", "\"Do not open it,\" said {his} {family}.", "It had been there for a hundred years, and nobody had opened it."),
                 self.say("{Name} turned the key, and the lock said click.", "{He} pushed as hard as {he} could.", "{He} called {friend}, and they opened it together.")],
                [self.say("Inside there was a letter. It said, \"Be good to the {animal}.\"", "Inside was a garden full of {colour} flowers.", "Out came a {animal} with a crown on its head."),
                 self.say("\"I can give you one wish,\" it said.", "They could not believe their eyes.", "It was old and full of dust, and yet it was wonderful."),
                 self.say("{Name} wished that {his} {family} would be well again.", "They kept the secret and told nobody.", "{Name} closed it again and went home to tell {his} {family}.")]]

    def shop(self):
        return [[self.say("{Name} went to the market with {number} coins.", "{His} {family} sent {him} to the shop to buy {food}.", "In the window of the shop was a {colour} {toy}."),
                 self.say("{He} wanted to buy the {toy}, but it cost too much.", "On the way {he} met a poor man who was {bad}.", "The man in the shop had a long white beard and small glasses."),
                 self.say("{Name} thought about it for a long time.", "\"How much is it?\" {he} asked.", "{He} counted the coins again and again.")],
                [self.say("Then {he} gave the coins to the poor man.", "So {he} worked for the man and swept the floor for {number} days.", "\"You may pay the rest when you are big,\" said the man and smiled."),
                 self.say("{His} {family} was not angry. \"You did the right thing,\" they said.", "At last the {toy} was {his}.", "Outside sat a {animal} that was hungry, and {Name} gave it some of the bread."),
                 self.say("The next morning the {toy} lay before {his} door.", "{Name} carried it home and was very {good}.", "And the man said, \"You are an honest child.\"")]]


def main():
    r = random.Random(SEED)
    stories = []
    for _ in range(STORIES):
        paragraphs = Story(r).paragraphs()
        stories.append("\n\n".join(" ".join(sentences) for sentences in paragraphs))
    print("\n<|endoftext|>\n".join(stories))


main()
